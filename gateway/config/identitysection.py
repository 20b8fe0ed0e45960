"""The options about local users: where it is looked up who they are, and who of them administers the gateway."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from gateway.config.storagesections import Section
from gateway.config.values import FilePath, Names, Seconds, Unit, split_at_commas


class Provider(StrEnum):
    """Where it is looked up who a local user is."""

    STORAGE = "storage"
    FILE = "file"


class Identity(Section):
    """Who local users are."""

    providers: Annotated[tuple[Provider, ...], split_at_commas, Unit("list of storage, file")] = Field(
        (Provider.STORAGE,),
        min_length=1,
        description="Asked in this order: `storage` tries the log-in there, `file` looks into users_file. "
        "Where the storage is a local folder the default is [file].",
    )
    users_file: FilePath | None = Field(
        None,
        description="Users and pass word hashes for the provider `file`.",
        examples=["/etc/ocm-gateway/users.yaml"],
    )
    admins: Names = Field(
        (),
        description="Users who administer this gateway in the browser and over REST; empty: nobody.",
        examples=["alice"],
    )
    admin_groups: Names = Field(
        (),
        description="Groups whose members do so too, as the users file names them; they count from the next log-in on.",
        examples=["operators"],
    )
    cache_seconds: Seconds = Field(300, description="How long a successful log-in is remembered.")
