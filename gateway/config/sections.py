"""Every option of the gateway, declared once: its type and unit, its default and what it means.

The order here is the order of `config/gateway.yaml`. Defaults are safe and follow what operators of comparable
services expect. An option without a default is required; one whose default follows from others says so in its help.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from gateway.config.identitysection import Identity
from gateway.config.passsection import Passthrough
from gateway.config.peersections import Criteria, Invites, Peers
from gateway.config.sshsection import Ssh
from gateway.config.storagesections import Section, Storage, StorageRule
from gateway.config.values import (
    Count,
    FilePath,
    HiddenText,
    Networks,
    Origin,
    Port,
    Seconds,
    SecondsOrNever,
    Size,
    StoreUrl,
    Unit,
    UrlPrefix,
    WholeSeconds,
    read_json,
)
from gateway.model.address import Host, authority_of, host_of_url
from gateway.model.placement import ONLY_STORAGE, STORAGE_NAME, Rule


def _default_keys_file(known: dict[str, Any]) -> Path:
    return Path(known["data_dir"]) / "keys.json"


def _default_name(known: dict[str, Any]) -> str:
    return authority_of(known["public_url"])


class Http(Section):
    """The public listener. A TLS proxy stands before it."""

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 or :: in a container.")
    port: Port = Field(8080, description="Port to listen on.")
    trusted_proxies: Networks = Field(
        (),
        description="Proxies whose Forwarded or X-Forwarded-For is believed; empty: nobody's.",
        examples=["10.0.0.0/8"],
    )
    drain_seconds: Seconds = Field(300, description="How long running transfers may go on after the stop signal.")


class Ops(Section):
    """The operations listener (`/healthz`, `/readyz`, `/metrics`). Never make it public."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: Port = Field(8081, description="Port to listen on.")


class Store(Section):
    """Where shares, locks and sessions are kept."""

    url: StoreUrl = Field(
        "embedded", description="`embedded` starts a private server in data_dir; several replicas need an external one."
    )
    username: str | None = Field(None, description="Log-in name at an external store.", examples=["ocm"])
    password: HiddenText | None = Field(None, description="Pass word at an external store.", examples=["secret"])
    ca_file: FilePath | None = Field(
        None, description="Certificates to trust with rediss://.", examples=["/etc/ssl/redis-ca.pem"]
    )
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = Field(
        "ocm", description="Begin of all key names; each gateway on one store needs its own."
    )

    @property
    def is_embedded(self) -> bool:
        """Whether the gateway runs its own server."""
        return self.url == "embedded"


class Token(Section):
    """Access tokens that peers get for a share."""

    lifetime_seconds: WholeSeconds = Field(600, description="Life of an access token.")


class Shares(Section):
    """Shares that are sent and received."""

    auto_accept: bool = Field(default=False, description="Accept what arrives without asking the user.")
    default_expiry: SecondsOrNever = Field(0, description="Life of a sent share where its owner names none.")


class Limits(Section):
    """What a request may cost. Beyond it stands the protocol's own refusal."""

    json_bytes: Size = Field(64 * 1024, description="Body of a JSON or form request.")
    json_depth: Count = Field(32, description="Nesting of a JSON body.")
    discovery_bytes: Size = Field(256 * 1024, description="Discovery document or key set of a peer.")
    requests_per_address: Count = Field(
        300,
        description="Requests of one address (IPv6: /64) without a valid credential in requests_window_seconds.",
    )
    requests_window_seconds: Seconds = Field(300, description="Window of requests_per_address.")
    log_ins_per_address: Count = Field(15, description="Failed log-ins of one address within log_ins_window_seconds.")
    log_ins_window_seconds: Seconds = Field(1800, description="Window of log_ins_per_address.")
    messages_per_peer: Count = Field(300, description="Signed messages of one peer within messages_window_seconds.")
    messages_window_seconds: Seconds = Field(60, description="Window of messages_per_peer.")
    received_per_user: Count = Field(
        1000, description="Received shares of one user; those that have ended give way to new ones."
    )
    pending_per_peer: Count = Field(
        1000,
        description="Shares of one provider that wait for their recipients' answers; of unsigned ones, as many again.",
    )
    peer_documents: Count = Field(
        2000, description="Hosts whose documents and keys are kept; those not heard of for longest are asked again."
    )
    verification_seconds: Seconds = Field(4, description="Checking one incoming signature, its keys' fetch included.")
    streams_per_share: Count = Field(32, description="Transfers of one share at the same time.")
    requests_per_user: Count = Field(64, description="Requests of one user at the mount at the same time.")


class Session(Section):
    """Log-in sessions of local users."""

    idle: Seconds = Field(12 * 3600, description="A session ends after this long without a request.")
    max: Seconds = Field(7 * 86400, description="A session ends after this long.")


class MacMetadata(StrEnum):
    """What becomes of what macOS leaves in folders."""

    STORE = "store"
    DISCARD = "discard"
    REFUSE = "refuse"


class Mount(Section):
    """What users mount as a drive or folder: the shares that they have received."""

    mac_metadata: MacMetadata = Field(
        MacMetadata.STORE,
        description="What becomes of files that only macOS needs, such as .DS_Store: `store` them as they come, take "
        "and `discard` them, or `refuse` them.",
    )
    app_passwords: Count = Field(20, description="How many app passwords a user may have.")
    over_ssh: bool = Field(
        default=True, description="Let local users in at the SSH door too, with pass words or keys of their own."
    )
    ssh_keys: Count = Field(20, description="How many SSH keys a user may register.")
    strip_domain: bool = Field(
        default=False, description="Take `DOMAIN\\user` for `user`, as Windows may write a log-in name."
    )


class Jobs(Section):
    """What happens later: deliveries that failed, shares that expire."""

    sweep_seconds: Seconds = Field(10, description="How often it is looked for what is due.")
    first_retry_seconds: Seconds = Field(600, description="Wait after the first failed delivery; it doubles.")
    max_retry_seconds: Seconds = Field(86400, description="Longest wait between two deliveries.")
    look_seconds: Seconds = Field(
        6 * 3600, description="How often received shares of providers that never tell an end are looked at."
    )
    give_up_after: Seconds = Field(7 * 86400, description="A share that cannot be delivered for this long has failed.")
    unfinished_seconds: Annotated[Seconds, Field(ge=3600)] = Field(
        86400,
        description="What a killed gateway left unfinished in a local folder or at an SSH server is removed when it is "
        "this old; it is looked for as often.",
    )


class Transfers(Section):
    """Copying what was received into the user's own storage (`datatx`)."""

    at_a_time: Count = Field(4, description="Transfers that one replica carries out at the same time.")
    parallel_files: Count = Field(4, description="Files of one transfer that are copied at the same time.")
    parallel_pieces: Count = Field(4, description="Pieces of one large file that are fetched at the same time.")
    large_bytes: Size = Field(
        256 * 1024 * 1024, description="From this size on a file is fetched in pieces, where the storage can."
    )
    checkers: Count = Field(8, description="Names of one transfer that are looked up at the same time.")
    lost_seconds: Seconds = Field(900, description="A worker that gave no sign of life for this long is replaced.")
    checkpoint_seconds: Seconds = Field(
        0.5, description="How often progress is written down and a cancellation is noticed."
    )
    first_retry_seconds: Seconds = Field(10, description="Wait after a failure of the sender or storage; it doubles.")
    max_retry_seconds: Seconds = Field(600, description="Longest wait between two tries.")
    give_up_after: Seconds = Field(86400, description="A transfer without progress for this long has failed.")
    tries: Count = Field(10, description="How often one file may fail while others go well.")
    max_files: Count = Field(1_000_000, description="Files and folders in one transfer.")
    max_waiting: Count = Field(100, description="Transfers of one user that are not over.")
    kept: Seconds = Field(30 * 86400, description="How long a finished transfer is remembered.")


class Log(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is written.")
    format: Literal["text", "json"] = Field("text", description="For people, or for machines.")


class Config(Section):
    """The whole configuration. `authority` is the one name by which others know this gateway."""

    public_url: Origin = Field(
        description="The origin under which others reach this gateway.", examples=["https://cloud.example.org"]
    )
    provider_name: str = Field(
        default_factory=_default_name,
        min_length=1,
        max_length=200,
        description="Name that others see; by default the host of public_url.",
        examples=["Example University"],
    )
    data_dir: FilePath = Field(
        Path("~/.local/share/ocm-gateway"), description="Folder for the embedded store and the keys."
    )
    keys_file: FilePath = Field(
        default_factory=_default_keys_file,
        description="Key file; by default keys.json in data_dir.",
        examples=["/run/secrets/ocm-gateway/keys.json"],
    )
    prefix: UrlPrefix = Field("/ocm", description="Path under which everything is that is ours.")
    http: Http = Http()
    ops: Ops = Ops()
    ssh: Ssh = Ssh()
    storage: Storage | None = None
    storages: Annotated[dict[str, Storage], Unit("map of names to what `storage` has")] = Field(
        {},
        description="Several storages by name, instead of `storage`; each takes the same options, and in the "
        "environment as OCM_GATEWAY_STORAGES__NAME__URL.",
        examples=['{old: {url: "webdav+https://old.example.org/{user}/"}, new: {url: "file:///srv/{user}"}}'],
    )
    storage_rules: Annotated[tuple[StorageRule, ...], read_json, Unit("list of {users, groups, storage}")] = Field(
        (),
        description="Whose files are on which of the storages: the first rule that names the user or one of her "
        "groups decides; the last one names nobody and is for all others. One storage needs no rules.",
        examples=["[{users: [alice], groups: [staff], storage: new}, {storage: old}]"],
    )
    store: Store = Store()
    identity: Identity = Identity()
    criteria: Criteria = Criteria()
    peers: Peers = Peers()
    token: Token = Token()
    shares: Shares = Shares()
    invites: Invites = Invites()
    limits: Limits = Limits()
    session: Session = Session()
    mount: Mount = Mount()
    jobs: Jobs = Jobs()
    transfers: Transfers = Transfers()
    passthrough: Passthrough = Passthrough()
    log: Log = Log()

    @field_validator("storages")
    @classmethod
    def _names(cls, storages: dict[str, Storage]) -> dict[str, Storage]:
        if not all(STORAGE_NAME.fullmatch(name) for name in storages):
            message = "a storage's name has 1 to 32 of the characters a-z 0-9 -"
            raise ValueError(message)
        return storages

    @property
    def all_storages(self) -> dict[str, Storage]:
        """Every storage by its name, in whichever of the two forms it is configured."""
        return self.storages if self.storage is None else {ONLY_STORAGE: self.storage}

    @property
    def placement(self) -> tuple[Rule, ...]:
        """The rules that say on which storage a user's files are; the last one is for all."""
        if not self.storage_rules:
            return tuple(Rule(storage=name) for name in self.all_storages)
        return tuple(
            Rule(storage=rule.storage, users=frozenset(rule.users), groups=frozenset(rule.groups))
            for rule in self.storage_rules
        )

    @property
    def ssh_address(self) -> str:
        """The `host:port` under which peers reach the SSH door."""
        return self.ssh.address(self.authority)

    @property
    def authority(self) -> Host:
        """The host, with its port unless 443: addresses, key ids and tokens name us by it (DESIGN 5)."""
        return host_of_url(self.public_url)
