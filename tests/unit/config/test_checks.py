"""The rules between options, each with what breaks it."""

import pytest

from gateway.app.doors import admins_of
from gateway.config import Config, check
from gateway.model.admins import Admins

LEAST = {"public_url": "https://cloud.example.org", "storage": {"url": "webdav+https://files.example.org/dav/"}}
LOCAL = {"identity": {"providers": ["file"], "users_file": "users.yaml"}}

IN_A_FILE = {"storage": {"url": "webdav+http://h/{user}/"}, **LOCAL}


def names(changes):
    return [fault.name for fault in check(Config.model_validate({**LEAST, **changes}))]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"public_url": "http://127.0.0.1:1", "peers": {"allow_http": True}},
        {"storage": {"url": "webdav+http://h/{user}/"}},
        {"storage": {"url": "webdav+http://h/{user}/"}, **LOCAL},
        {"storage": {"url": "webdav+http://h/{user}/", "view": "user"}},
        {"storage": {"url": "webdav+http://h/", "view": "service"}, **LOCAL},
        {"storage": {"url": "file:///srv/{user}"}, **LOCAL},
        {"storage": {"url": "file:///srv", "view": "service"}, **LOCAL},
        {"http": {"port": 0}, "ops": {"port": 0}},
        {"identity": {"admins": ["alice", "b.c_d-1"]}},
        {**IN_A_FILE, "identity": LOCAL["identity"] | {"admins": ["alice"], "admin_groups": ["staff"]}},
        {"store": {"url": "rediss://h", "username": "u", "password": "p", "ca_file": "ca"}},
        {"passthrough": {"url": "http://127.0.0.1:1", "pass_probes": True}},
    ],
)
def test_sound(changes):
    """What belongs together is accepted."""
    assert names(changes) == []


@pytest.mark.parametrize(
    ("changes", "at_fault"),
    [
        ({"public_url": "http://cloud.example.org"}, "public_url"),
        ({"identity": {"providers": ["file"]}, "storage": {"url": "file:///srv/{user}"}}, "identity.users_file"),
        ({"storage": {"url": "file:///srv/{user}"}}, "identity.providers"),
        ({"storage": {"url": "webdav+http://h/", "view": "template"}}, "storage.view"),
        ({"storage": {"url": "webdav+http://h/", "view": "service"}}, "storage.view"),
        ({"storage": {"url": "webdav+http://h/"}, **LOCAL}, "storage.view"),
        ({"storage": {"url": "file:///srv"}, **LOCAL}, "storage.view"),
        ({"identity": {"admins": ["alice@cloud.example.org"]}}, "identity.admins"),
        ({"identity": {"admins": ["*"]}}, "identity.admins"),
        ({"identity": {"admin_groups": ["staff"]}}, "identity.admin_groups"),
        ({**IN_A_FILE, "identity": LOCAL["identity"] | {"admin_groups": [""]}}, "identity.admin_groups"),
        ({"ops": {"port": 8080}}, "ops.port"),
        ({"store": {"password": "p"}}, "store.url"),
        ({"store": {"url": "redis://h", "username": "u"}}, "store.password"),
        ({"store": {"url": "redis://h", "ca_file": "ca"}}, "store.ca_file"),
        ({"peers": {"allow": ["a.example"], "deny": ["A.example"]}}, "peers.deny"),
        ({"peers": {"connect_seconds": 61}}, "peers.connect_seconds"),
        ({"session": {"idle": "8d"}}, "session.idle"),
        ({"jobs": {"first_retry_seconds": "2d"}}, "jobs.first_retry_seconds"),
        ({"passthrough": {"url": "https://cloud.example.org/x"}}, "passthrough.url"),
        ({"passthrough": {"pass_probes": True}}, "passthrough.pass_probes"),
    ],
)
def test_contradiction(changes, at_fault):
    """What contradicts is told under the option to change, and nothing else is."""
    assert names(changes) == [at_fault]


def test_storage_log_in_with_a_shared_local_root_is_refused():
    """A log-in against the storage together with a shared root and no view per user is refused (DESIGN 6)."""
    assert names({"storage": {"url": "file:///srv"}}) == ["identity.providers", "storage.view"]


def several(storages, rules, **changes):
    rest = {"public_url": "https://cloud.example.org", **LOCAL, **changes}
    return check(Config.model_validate({**rest, "storages": storages, "storage_rules": rules}))


RULES = [{"users": ["a"], "storage": "a"}, {"storage": "b"}]
B = "storages.b.url"
OLD_AND_NEW = {"old": {"url": "webdav+http://h/{user}"}, "new": {"url": "file:///srv/{user}"}}


@pytest.mark.parametrize(
    ("storages", "rules", "at_fault"),
    [
        (OLD_AND_NEW, [{"users": ["a"], "groups": ["g"], "storage": "new"}, {"storage": "old"}], []),
        ({"old": OLD_AND_NEW["old"]}, [], []),
        (OLD_AND_NEW, [], ["storage_rules"]),
        (OLD_AND_NEW, [{"users": ["a"], "storage": "old"}], ["storage_rules"]),
        (OLD_AND_NEW, [{"users": ["a"], "storage": "odl"}, {"storage": "new"}], ["storage_rules.0.storage"]),
        (OLD_AND_NEW, [{"storage": "old"}, {"storage": "new"}], ["storage_rules.0"]),
        ({"a": {"url": "file:///srv/{user}"}, "b": {"url": "file:///srv/b/{user}"}}, RULES, ["storages.b.url"]),
        ({"a": {"url": "webdav+http://h/"}, "b": {"url": "webdav+http://H/x/{user}"}}, RULES, ["storages.a.view", B]),
        ({"a": {"url": "file:///srv/{user}"}, "b": {"url": "file:///x/../srv/./{user}/"}}, RULES, ["storages.b.url"]),
        ({"a": {"url": "webdav+http://h/{user}/a"}, "b": {"url": "webdav+http://h/{user}/b"}}, RULES, []),
        (
            {"a": {"url": "file:///srv"}, "b": {"url": "webdav+http://h/"}},
            RULES,
            ["storages.a.view", "storages.b.view"],
        ),
    ],
)
def test_several_storages(storages, rules, at_fault):
    """Names, rules, and places that would lie within each other are checked, all at once."""
    assert [fault.name for fault in several(storages, rules)] == at_fault


def test_groups_need_a_provider_that_tells_them():
    """A rule for a group that nobody can be in is refused."""
    rules = [{"groups": ["staff"], "storage": "new"}, {"storage": "old"}]
    found = several(OLD_AND_NEW, rules, identity={"providers": ["storage"]})
    assert [fault.name for fault in found] == ["storage_rules.0.groups"]


def test_one_storage_and_several_do_not_mix():
    """There is one form or the other, and at least one storage."""
    both = {**LEAST, "storages": OLD_AND_NEW}
    assert [fault.name for fault in check(Config.model_validate(both))] == ["storages"]
    assert [fault.name for fault in check(Config.model_validate({"public_url": "https://a.example"}))] == [
        "storage.url"
    ]


SSH = {"known_hosts_file": "known_hosts"}
KEY = {"private_key_file": "key", **SSH}


@pytest.mark.parametrize(
    ("storage", "at_fault"),
    [
        ({"url": "sftp://ocm@h/srv/{user}", **KEY}, []),
        ({"url": "sftp://h:2222/srv/{user}", "credentials": "a:b", **SSH}, []),
        ({"url": "sftp://h/~/", "stored_accounts": True, **SSH}, []),
        ({"url": "sftp://h/~/files", "stored_accounts": True, "view": "user", **SSH}, []),
        ({"url": "sftp://ocm@h/srv/{user}", "private_key_file": "key"}, ["known_hosts_file"]),
        ({"url": "sftp://ocm@h/srv/{user}", **SSH}, ["url", "credentials"]),
        ({"url": "sftp://h/srv/{user}", **KEY}, ["url"]),
        ({"url": "sftp://ocm@h/srv/{user}", "credentials": "a:b", **KEY}, ["private_key_file"]),
        ({"url": "sftp://h/srv/{user}", **SSH}, ["credentials"]),
        ({"url": "sftp://h/~/{user}", "credentials": "a:b", **SSH}, ["url"]),
        ({"url": "sftp://h/{user}", "credentials": "a:b", "bearer": {"env": True}, **SSH}, ["credentials", "bearer"]),
        ({"url": "webdav+http://h/{user}", **KEY}, ["private_key_file", "known_hosts_file"]),
        ({"url": "webdav+http://h/", "view": "user", "stored_accounts": True}, []),
        ({"url": "webdav+http://h/{user}", "bearer": {"env": True, "token_file": "t"}}, ["bearer"]),
        ({"url": "webdav+http://h/{user}", "bearer": {"env": True}, "credentials": "a:b"}, ["credentials"]),
        ({"url": "file:///srv/{user}", "credentials": "a:b"}, ["credentials"]),
        ({"url": "webdav+http://h/{user}", "put": "rename"}, []),
        ({"url": "webdav+http://h/{user}", "put": "rename", "relay": "always"}, ["put"]),
        ({"url": "file:///srv/{user}", "put": "rename"}, ["put"]),
        ({"url": "sftp://ocm@h/srv/{user}", "put": "rename", **KEY}, ["put"]),
        ({"url": "file:///srv/{user}", "stored_accounts": True}, ["stored_accounts"]),
        ({"url": "webdav+http://h/{user}", "redirect_auth_hosts": ["d:1"]}, ["redirect_auth_hosts"]),
        ({"url": "webdav+http://h/{user}", "redirect_auth_hosts": ["d:1"], "redirect_hosts": ["d:1", "e:1"]}, []),
    ],
)
def test_accounts_of_storages(storage, at_fault):
    """Each kind of storage has its own accounts and ways to write; what is missing or wrong is told by its option."""
    assert names({"storage": storage, **LOCAL}) == [f"storage.{name}" for name in at_fault]


def test_how_to_get_host_keys_is_told():
    """The fault says which command makes the file, with the host and port at hand."""
    storage = {"url": "sftp://ocm@files.example.org:2222/srv/{user}", "private_key_file": "key"}
    (fault,) = check(Config.model_validate({**LEAST, "storage": storage, **LOCAL}))
    assert "ssh-keyscan -p 2222 files.example.org" in fault.message
    assert "ssh-keygen -lf" in fault.message


def test_administrators_are_those_whom_the_options_name():
    """Users and groups come from their options, also as the environment writes lists; by default there is nobody."""
    named = {"identity": LOCAL["identity"] | {"admins": "alice, bob", "admin_groups": "staff"}}
    assert admins_of(Config.model_validate(LEAST | named)) == Admins(
        users=frozenset({"alice", "bob"}), groups=frozenset({"staff"})
    )
    assert admins_of(Config.model_validate(LEAST)) == Admins()
