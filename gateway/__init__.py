"""The OCM gateway: Open Cloud Mesh federation for storage that already exists."""

__version__ = "0.1.0"
