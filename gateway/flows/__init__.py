"""One story a module: what the gateway does, told without HTTP, SSH or Redis."""
