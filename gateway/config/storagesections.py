"""The options of one storage, and whose files are on which of several."""

from __future__ import annotations

from enum import StrEnum
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from gateway.config.values import USER_SLOT, CommandLine, Credentials, FilePath, Hosts, Seconds, StorageUrl


class Relaying(StrEnum):
    """When requests of peers go to a WebDAV storage as they are, instead of being served by our own WebDAV."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class Putting(StrEnum):
    """How files are written to a WebDAV storage."""

    IN_PLACE = "in-place"
    RENAME = "rename"


class View(StrEnum):
    """As whom the storage is used when a local user browses, sends or receives (DESIGN 6, "As whom?")."""

    AUTO = "auto"
    USER = "user"
    TEMPLATE = "template"
    SERVICE = "service"


class Section(BaseModel):
    """A part of the configuration: it cannot be changed, and unknown names in it are faults."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True, validate_default=True
    )


class BearerToken(Section):
    """A token instead of a service account with a pass word; exactly one of these sources."""

    token_file: FilePath | None = Field(
        None,
        description="File with the token, read again whenever it changes.",
        examples=["/run/secrets/storage-token"],
    )
    command: CommandLine | None = Field(
        None,
        description="Command that prints the token; it is run without a shell, again before the token ends.",
        examples=["oidc-token gateway"],
    )
    env: bool = Field(
        default=False,
        description="Whether to look where WLCG tools do: BEARER_TOKEN, BEARER_TOKEN_FILE, "
        "$XDG_RUNTIME_DIR/bt_u<uid>, /tmp/bt_u<uid>.",
    )

    @property
    def sources(self) -> int:
        """How many sources are configured."""
        return sum((self.token_file is not None, bool(self.command), self.env))


class Storage(Section):
    """The storage that exists already and is shared from."""

    url: StorageUrl = Field(
        description="Where the storage is; {user} as a part of the path gives each user a folder of their own.",
        examples=["webdav+https://storage.example.org/files/{user}/"],
    )
    credentials: Credentials | None = Field(
        None, description="Service account that serves what was shared: `user:password`.", examples=["gateway:secret"]
    )
    bearer: BearerToken = BearerToken()
    private_key_file: FilePath | None = Field(
        None,
        description="Private key of the service account at an SFTP storage, whose name stands in the URL.",
        examples=["/run/secrets/ocm-gateway/storage-key"],
    )
    known_hosts_file: FilePath | None = Field(
        None,
        description="Keys that an SFTP storage may show, as OpenSSH writes them. Make it with "
        "`ssh-keyscan -p PORT HOST`, and compare `ssh-keygen -lf` of it with what the server's operator says.",
        examples=["/etc/ocm-gateway/known_hosts"],
    )
    stored_accounts: bool = Field(
        default=False,
        description="Whether users may store an account that they have at the storage, for those whose log-in here "
        "does not open it. Without a service account the owner's stored one serves what she shares.",
    )
    view: View = Field(
        View.AUTO,
        description="As whom local users browse: `user` (their own log-in), `template` (the {user} in the URL), "
        "`service` (all see one shared root); `auto` chooses one of the first two.",
    )
    allow_root_share: bool = Field(default=False, description="Whether a user may share their whole storage.")
    relay: Relaying = Field(
        Relaying.AUTO, description="Whether requests of peers are relayed to a WebDAV storage; `auto` probes its locks."
    )
    put: Putting = Field(
        Putting.IN_PLACE,
        description="How files are written to a WebDAV storage: `in-place`, or `rename` (beside, then moved over the "
        "old one) where it would keep half of a broken write; then nothing is relayed.",
    )
    etag_propagates: bool = Field(
        default=False, description="Whether a folder's ETag changes when anything below it changes."
    )
    redirect_hosts: Hosts = Field(
        (), description="Further hosts that the storage may redirect to.", examples=["pool.example.org"]
    )
    redirect_auth_hosts: Hosts = Field(
        (),
        description="Those of the redirect_hosts that are shown our credentials as well; needed where data servers ask "
        "again, as XRootD's do.",
        examples=["data1.example.org:1095"],
    )
    redirects: int = Field(5, ge=0, le=20, description="How many redirects of the storage are followed.")
    ca_file: FilePath | None = Field(
        None, description="Certificates to trust instead of the system's.", examples=["/etc/ssl/storage-ca.pem"]
    )
    connect_seconds: Seconds = Field(10, description="How long a connection to the storage may take.")
    first_byte_seconds: Seconds = Field(120, description="How long the storage may take to begin its answer.")
    idle_seconds: Seconds = Field(60, description="How long a transfer may stand still.")

    @property
    def is_local(self) -> bool:
        """Whether the storage is a folder of this machine."""
        return self.url.startswith("file:")

    @property
    def is_sftp(self) -> bool:
        """Whether the storage is an SSH server."""
        return self.url.startswith("sftp:")

    @property
    def is_home(self) -> bool:
        """Whether an SSH server is used from the home of whoever logs in."""
        return self.is_sftp and urlsplit(self.url).path.split("/")[1:2] == ["~"]

    @property
    def has_user_slot(self) -> bool:
        """Whether each user has a root of their own."""
        return USER_SLOT in self.url

    @property
    def has_service(self) -> bool:
        """Whether grants are served by one account for all; users' own stored ones stand in where there is none."""
        is_named = self.credentials is not None or self.private_key_file is not None or self.bearer.sources > 0
        return is_named or not (self.stored_accounts or self.is_sftp)

    @property
    def local_view(self) -> View:
        """As whom local users browse, with `auto` decided."""
        if self.view is not View.AUTO:
            return self.view
        return View.TEMPLATE if self.has_user_slot else View.USER


class StorageRule(Section):
    """Whose files are on which storage."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    storage: str
