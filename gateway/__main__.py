"""Lets `python -m gateway` be the command `ocm-gateway`."""

from gateway.cli import main

if __name__ == "__main__":
    main()
