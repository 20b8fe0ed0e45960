"""State behind small ports; the only package that imports redis."""
