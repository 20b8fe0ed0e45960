"""The public HTTP face: every door names its lock."""
