import os
from unittest.mock import patch

import argon2
import pytest

from gateway.errors import GatewayError, Kind
from gateway.identity import file
from gateway.identity.file import FileLogIn, hash_password, read_users
from gateway.model.secret import Secret

RIGHT, WRONG = Secret("right"), Secret("wrong")
HASH = hash_password(RIGHT)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "users.yaml"
    write(path, alice={"display_name": "Alice Adams", "email": "alice@example.org"}, Bob={})
    return path


def write(path, **users):
    lines = ["users:"]
    for name, facts in users.items():
        lines += [f"  {name}:", f'    password: "{HASH}"', *(f"    {key}: {value}" for key, value in facts.items())]
    path.write_text("\n".join(lines) + "\n")
    # Some file systems tell times apart by the clock's tick only.
    os.utime(path, ns=(0, path.stat().st_size + len(users)))


async def test_right_password_proves_the_user(path):
    """Who knows the pass word is the user, with the names from the file."""
    user = await FileLogIn(path).check("alice", RIGHT)
    assert (user.identifier, user.display_name, user.email) == ("alice", "Alice Adams", "alice@example.org")
    assert user.password is None


@pytest.mark.parametrize(
    ("login", "password"), [("alice", WRONG), ("alice", Secret("")), ("nobody", RIGHT), ("ALICE", RIGHT)]
)
async def test_anything_else_proves_nobody(path, login, password):
    """A wrong pass word, an unknown name and a name in another case are all the same nobody."""
    assert await FileLogIn(path).check(login, password) is None


async def test_an_unknown_name_costs_as_much_as_a_wrong_password(path):
    """The same work is done for every name, so that time does not tell who exists."""
    log_in, checked = FileLogIn(path), []
    real = argon2.PasswordHasher.verify

    def noted(hasher, hashed, password):
        checked.append(hashed)
        return real(hasher, hashed, password)

    with patch.object(argon2.PasswordHasher, "verify", noted):
        await log_in.check("alice", WRONG)
        await log_in.check("nobody", WRONG)
    assert checked == [HASH, HASH]


async def test_a_changed_file_counts_at_once(path):
    """A user who is taken out of the file, or added, is so from the next log-in on."""
    log_in = FileLogIn(path)
    write(path, carol={})
    assert await log_in.check("alice", RIGHT) is None
    assert (await log_in.check("carol", RIGHT)).identifier == "carol"


@pytest.mark.parametrize("text", ["users: [", "users:\n  alice:\n    pass: x\n", None])
async def test_a_broken_file_leaves_the_last_good_one(path, text):
    """A file in the middle of an edit, or away for a moment, locks nobody out."""
    log_in = FileLogIn(path)
    path.unlink()
    if text is not None:
        path.write_text(text)
    assert (await log_in.check("alice", RIGHT)).identifier == "alice"


@pytest.mark.parametrize("claimed", ["alice", "ALICE"])
async def test_find_matches_in_any_case(path, claimed):
    """A user is found under her name in any case, for whoever addresses a share to her."""
    assert [user.identifier for user in await FileLogIn(path).find(claimed)] == ["alice"]


async def test_find_knows_no_strangers(path):
    """A name that is not in the file is nobody."""
    assert await FileLogIn(path).find("carol") == []


def test_faults_are_told_all_at_once_with_their_place(tmp_path):
    """Each fault has its path in the file, and no value is repeated."""
    path = tmp_path / "users.yaml"
    path.write_text(
        "users:\n  alice:\n    password: s3cret-in-clear\n    colour: red\n  'a b':\n    password: x\n  bob: {}\n"
    )
    with pytest.raises(GatewayError) as caught:
        read_users(path)
    assert caught.value.kind is Kind.CONFIGURATION
    assert {fault.name for fault in caught.value.faults} == {
        "users.alice.password",
        "users.alice.colour",
        "users.a b",
        "users.a b.password",
        "users.bob.password",
    }
    assert "s3cret-in-clear" not in repr((str(caught.value), caught.value.faults))


def test_what_is_not_yaml_is_told_without_quoting_it(tmp_path):
    """The line is named; its text, which may be a hash, is not."""
    path = tmp_path / "users.yaml"
    path.write_text("users:\n  alice: {password: s3cret\n  bob: ]\n")
    with pytest.raises(GatewayError, match="line 3") as caught:
        read_users(path)
    assert "s3cret" not in str(caught.value)


def test_a_missing_file_is_a_fault_of_the_configuration(tmp_path):
    """Without its file the gateway does not start."""
    with pytest.raises(GatewayError) as caught:
        FileLogIn(tmp_path / "users.yaml")
    assert caught.value.kind is Kind.CONFIGURATION


async def test_an_empty_file_has_no_users(tmp_path):
    """A file without users lets nobody in."""
    path = tmp_path / "users.yaml"
    path.write_text("")
    assert await FileLogIn(path).check("alice", RIGHT) is None


def test_a_hash_is_argon2id_and_never_the_same():
    """What goes into the file is a salted Argon2id hash."""
    assert HASH.startswith("$argon2id$")
    assert hash_password(RIGHT) != HASH


async def test_checks_wait_for_each_other(path):
    """No more checks than allowed run at once, for each of them takes memory."""
    log_in = FileLogIn(path)
    assert log_in._slots._value == file.CHECKS_AT_ONCE
    async with log_in._slots, log_in._slots:
        assert log_in._slots.locked()
