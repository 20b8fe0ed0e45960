"""How the gateway is configured: one immutable `Config`, read whole and checked whole.

`sections` declares every option once, with its default, unit and meaning. `load` puts flags over the environment
over the file over the defaults, and reports all faults in one `ConfigError`. `checks` holds the rules between
options. `reference` prints the declarations as the commented `config/gateway.yaml` and as the options' page.
"""

from __future__ import annotations

from gateway.config.checks import check
from gateway.config.identitysection import Identity, Provider
from gateway.config.load import ConfigError, load
from gateway.config.passsection import Passthrough
from gateway.config.peersections import Criteria, Invites, Peers
from gateway.config.reference import reference_schema, reference_table, reference_yaml
from gateway.config.sections import (
    Config,
    Http,
    Jobs,
    Limits,
    Log,
    MacMetadata,
    Mount,
    Ops,
    Session,
    Shares,
    Store,
    Token,
)
from gateway.config.storagesections import Putting, Relaying, Storage, StorageRule, View

__all__ = [
    "Config",
    "ConfigError",
    "Criteria",
    "Http",
    "Identity",
    "Invites",
    "Jobs",
    "Limits",
    "Log",
    "MacMetadata",
    "Mount",
    "Ops",
    "Passthrough",
    "Peers",
    "Provider",
    "Putting",
    "Relaying",
    "Session",
    "Shares",
    "Storage",
    "StorageRule",
    "Store",
    "Token",
    "View",
    "check",
    "load",
    "reference_schema",
    "reference_table",
    "reference_yaml",
]
