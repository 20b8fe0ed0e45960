"""The SSH door: SFTP and SCP over the same storages as every other door (flow 5)."""
