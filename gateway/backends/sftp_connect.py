"""One SSH connection to a storage: which algorithms, which keys, and nothing of this machine's own SSH set-up.

No configuration file, agent, default key or default known-hosts file is read. AES-GCM comes first, since it is the
fastest here (docs/performance.md); SHA-1 is neither used for key exchange nor for signatures.
"""

from __future__ import annotations

import asyncio

import asyncssh

from gateway.backends.sftp_errors import refused
from gateway.backends.sftp_server import Keys, SftpAccount, SftpServer
from gateway.errors import GatewayError, unavailable

KEX_ALGS = (
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group18-sha512",
    "diffie-hellman-group14-sha256",
)
ENCRYPTION_ALGS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes256-ctr", "aes192-ctr", "aes128-ctr")
MAC_ALGS = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512")
SIGNATURE_ALGS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
CERTIFICATE_ALGS = tuple(f"{name}-cert-v01@openssh.com" for name in SIGNATURE_ALGS)
# How much the server may send before we have read it, per channel.
WINDOW_BYTES = 8 * 1024 * 1024
PACKET_MAX_BYTES = 256 * 1024
KEEPALIVE_SECONDS = 30
KEEPALIVES_MAX = 3


async def connect(server: SftpServer, account: SftpAccount, seconds: float) -> asyncssh.SSHClientConnection:
    """Return a connection on which `account` is logged in.

    Raises:
        GatewayError: `UNAVAILABLE` if that does not come about in time, with the code `CREDENTIAL_REFUSED` if the
            server does not accept the account, or if the host keys cannot be read.
    """
    try:
        keys = await asyncio.to_thread(server.host_keys.trusted, server.host, server.port)
    except GatewayError as error:
        # The file was there when the gateway started; whoever asks for a share has to keep it meanwhile.
        raise unavailable("The storage cannot be reached.", log=str(error)) from error
    try:
        async with asyncio.timeout(seconds):
            address = await server.dial(server.host, server.port) if server.dial is not None else server.host
            # Said here too: left out, it means the configuration file of whoever runs the gateway.
            return await asyncssh.connect(address, server.port, config=None, options=_options(account, keys))
    except (asyncssh.Error, OSError, ValueError) as error:
        raise refused(error) from error


def _options(account: SftpAccount, keys: tuple[Keys, Keys, Keys]) -> asyncssh.SSHClientConnectionOptions:
    return asyncssh.SSHClientConnectionOptions(
        config=None,
        # A callable: an empty value would stand for the known-hosts file of whoever runs the gateway.
        known_hosts=lambda _host, _address, _port: tuple(list(part) for part in keys),
        username=account.user,
        password=account.password.reveal() if account.password is not None else None,
        client_keys=[account.key] if account.key is not None else None,
        preferred_auth=_methods(account),
        agent_path=None,
        agent_forwarding=False,
        gss_kex=False,
        gss_auth=False,
        host_based_auth=False,
        x509_trusted_certs=None,
        server_host_key_algs=_host_key_algs(keys),
        kex_algs=KEX_ALGS,
        encryption_algs=ENCRYPTION_ALGS,
        mac_algs=MAC_ALGS,
        signature_algs=SIGNATURE_ALGS,
        compression_algs=["none"],
        window=WINDOW_BYTES,
        max_pktsize=PACKET_MAX_BYTES,
        keepalive_interval=KEEPALIVE_SECONDS,
        keepalive_count_max=KEEPALIVES_MAX,
        # The time for all of it is measured outside.
        connect_timeout=None,
        login_timeout=0,
    )


def _methods(account: SftpAccount) -> list[str]:
    by_key = ["publickey"] if account.key is not None else []
    # Servers with PAM ask for the same pass word in a dialogue.
    by_password = ["password", "keyboard-interactive"] if account.password is not None else []
    return by_key + by_password


def _host_key_algs(keys: tuple[Keys, Keys, Keys]) -> list[str]:
    """Ask for the kind of key that we know, so that a server with several shows the right one."""
    trusted, authorities, _revoked = keys
    wanted = list(CERTIFICATE_ALGS) if authorities else []
    known = {name.decode() for key in trusted for name in key.sig_algorithms}
    wanted += [name for name in SIGNATURE_ALGS if name in known]
    # Without any known key the server is refused, and only after it has shown one can the log say so.
    return wanted or list(SIGNATURE_ALGS)
