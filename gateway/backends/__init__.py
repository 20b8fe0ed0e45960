"""Bytes behind one port: local folders and WebDAV servers, and the wrappers that narrow them to a grant."""
