"""The protocol as text: parse tolerantly, render strictly, no I/O."""
