"""Our own keys: the published set, rotation without a gap, and the key file (KEYS-1, KEYS-2; DESIGN 10)."""

import json
import os
import re
import stat
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from gateway.crypto import cavage
from gateway.crypto.keys import (
    KEY_FILE_MAX_BYTES,
    Algorithm,
    KeyRing,
    KeyState,
    Pace,
    dump_key_ring,
    load_key_file,
    parse_key_ring,
    save_key_file,
    verifying_key,
)
from gateway.crypto.secrets import Sealer
from gateway.errors import GatewayError, Kind

NOW = 1_785_060_500
DAY = 24 * 3600
URL = "https://sender.example.org"
PACE = Pace(publish_seconds=100, retire_seconds=1000)
RING = KeyRing.generate(URL, NOW)


def _states(slots):
    return [slot.state.value for slot in slots]


def _kids(ring):
    return [key["kid"] for key in ring.jwks()["keys"]]


class TestPublished:
    """What peers see."""

    @pytest.mark.req("KEYS-1")
    def test_the_set(self):
        """Each published key has our `kid`, a fully specified algorithm, its use, and no private part."""
        signing, token = RING.jwks()["keys"]

        assert (signing["kty"], signing["crv"], signing["alg"], signing["use"]) == ("OKP", "Ed25519", "Ed25519", "sig")
        assert (token["kty"], token["crv"], token["alg"], token["use"]) == ("EC", "P-256", "ES256", "sig")
        assert set(signing) == {"kty", "crv", "alg", "use", "kid", "x"}
        assert set(token) == {"kty", "crv", "alg", "use", "kid", "x", "y"}
        assert signing["kid"].startswith("https://sender.example.org/ocm#sign-")
        assert token["kid"].startswith("https://sender.example.org/ocm#token-")

    @pytest.mark.req("KEYS-1")
    def test_a_peer_can_use_the_keys(self):
        """The published keys are those that sign, and pass the rules that we hold peers to."""
        for key in (RING.signing_key(), RING.token_key()):
            assert verifying_key(key.public_jwk()).public == key.private.public_key()
            assert verifying_key(key.public_jwk()).algorithm is key.algorithm

    def test_a_fresh_ring(self):
        """A ring begins with one active key of each kind, from now on, and can be saved."""
        ring = KeyRing.generate(URL, NOW + 0.5)

        assert ring.public_url == URL
        for slots in (ring.signing, ring.token, ring.sealing):
            assert [(slot.state, slot.since) for slot in slots] == [(KeyState.ACTIVE, NOW)]
        assert parse_key_ring(dump_key_ring(ring)) == ring
        assert [kid[: kid.rindex("-")] for kid in _kids(ring)] == [f"{URL}/ocm#sign", f"{URL}/ocm#token"]

    def test_rings_differ(self):
        """Every ring has keys, names and instance of its own."""
        other = KeyRing.generate(URL, NOW)

        assert set(_kids(other)).isdisjoint(_kids(RING))
        assert other.instance_id != RING.instance_id
        assert other.pepper != RING.pepper
        assert other.sealing_keys() != RING.sealing_keys()
        assert (len(RING.pepper), len(RING.sealing_keys()[0])) == (32, 32)

    def test_nothing_private_is_shown(self):
        """A ring in a log shows no key."""
        shown = repr(RING) + repr(RING.signing_key())

        assert repr(RING.pepper) not in shown
        assert repr(RING.sealing_keys()[0]) not in shown
        assert "PrivateKey" not in shown


class TestRotation:
    """How keys are exchanged."""

    @pytest.mark.req("KEYS-2")
    def test_the_way_of_a_key(self):
        """A next key is published first, signs after the caches' bound, and the old one goes later."""
        published = RING.rotate(NOW, PACE)
        assert _states(published.signing) == _states(published.token) == ["next", "active"]
        assert published.signing_key() == RING.signing_key()
        assert published.token_key() == RING.token_key()
        assert len(_kids(published)) == 4
        assert [slot.since for slot in published.signing] == [NOW, NOW]

        exchanged = published.rotate(NOW + 100, PACE)
        assert _states(exchanged.signing) == _states(exchanged.token) == ["active", "retiring"]
        assert exchanged.signing_key() == published.signing[0].key
        assert exchanged.token_key() == published.token[0].key
        assert _kids(exchanged) == _kids(published)
        assert [slot.since for slot in exchanged.signing] == [NOW + 100, NOW + 100]

        settled = exchanged.rotate(NOW + 1100, PACE)
        assert _states(settled.signing) == _states(settled.token) == ["active"]
        assert settled.signing_key() == exchanged.signing_key()
        assert settled.is_settled

    @pytest.mark.req("KEYS-2")
    def test_nothing_happens_before_its_time(self):
        """A step is taken when it is due and not a second before; asking again changes nothing."""
        published = RING.rotate(NOW, PACE)
        assert published.rotate(NOW + 99, PACE) == published
        exchanged = published.rotate(NOW + 100, PACE)
        assert exchanged.rotate(NOW + 1099, PACE) == exchanged
        assert not published.is_settled
        assert not exchanged.is_settled

    def test_the_usual_pace(self):
        """By default a key is published for a day before it signs, and for seven days after."""
        published = RING.rotate(NOW)
        assert published.rotate(NOW + DAY - 1) == published
        exchanged = published.rotate(NOW + DAY)
        assert _states(exchanged.signing) == ["active", "retiring"]
        assert exchanged.advance(NOW + 8 * DAY - 1) == exchanged
        assert _states(exchanged.advance(NOW + 8 * DAY).signing) == ["active"]

    @pytest.mark.req("KEYS-2")
    def test_only_old_keys_are_renewed_unasked(self):
        """Tending begins a rotation in the second in which a key is 90 days old, and then takes each step when due."""
        assert RING.tend(NOW + 90 * DAY - 1) == RING
        published = RING.tend(NOW + 90 * DAY)
        assert _states(published.signing) == _states(published.token) == ["next", "active"]
        assert published.tend(NOW + 91 * DAY - 1) == published
        exchanged = published.tend(NOW + 91 * DAY)
        assert _states(exchanged.signing) == ["active", "retiring"]
        settled = exchanged.tend(NOW + 98 * DAY)
        assert _states(settled.signing) == ["active"]
        assert settled.tend(NOW + 181 * DAY - 1) == settled

    @pytest.mark.parametrize("kind", ["signing", "token", "cavage"])
    def test_one_old_key_is_enough(self, kind):
        """Whichever key is old, the rotation of all begins; keys on their way in or out do not count."""
        pace = Pace(publish_seconds=100, retire_seconds=1000, renew_seconds=500)
        old = replace(RING, **{kind: tuple(replace(slot, since=slot.since - 1) for slot in getattr(RING, kind))})
        assert RING.tend(NOW + 499, pace) == RING
        assert _states(old.tend(NOW + 499, pace).signing) == ["next", "active"]
        exchanged = RING.rotate(NOW, pace).advance(NOW + 100, pace)
        assert exchanged.tend(NOW + 599, pace) == exchanged

    def test_the_pace_of_tending_is_its_own(self):
        """Tending takes steps at the pace that it is given."""
        pace = Pace(publish_seconds=100, retire_seconds=1000, renew_seconds=500)
        published = RING.rotate(NOW, pace)
        assert _states(published.tend(NOW + 100, pace).signing) == ["active", "retiring"]
        # Also where the step comes so late that the active key has become old.
        assert _states(published.tend(NOW + 600, pace).signing) == ["active", "retiring"]

    @pytest.mark.req("KEYS-3")
    def test_the_key_for_older_peers_is_exchanged_too(self):
        """A rotation has a next RSA key under our own name, unless the ring of an older gateway has none at all."""
        published = RING.rotate(NOW, PACE)
        assert _states(published.cavage) == ["next", "active"]
        assert all(slot.key.key_id.startswith(f"{URL}/") for slot in published.cavage)
        assert replace(RING, cavage=()).rotate(NOW, PACE).cavage == ()

    @pytest.mark.req("KEYS-3")
    def test_the_key_for_older_peers_is_exchanged_by_the_clock(self):
        """The RSA key that is shown and signs changes in the second in which it is due, written or not, and stays."""
        published = RING.rotate(NOW, PACE)
        following, active = (slot.key for slot in published.cavage)
        assert published.cavage_key(NOW + 99, PACE) == active
        assert published.cavage_key(NOW + 100, PACE) == following
        assert published.cavage_key(NOW + 100, PACE) != active
        assert published.cavage_key(NOW + 100_000, PACE) == following

    @pytest.mark.req("KEYS-3")
    def test_a_ring_that_is_written_late_shows_no_other_key(self):
        """Once the file is written, late or in time, the same RSA key is shown as by the clock; the old one goes."""
        published = RING.rotate(NOW)
        written = published.advance(NOW + 2 * DAY)
        for later in (2, 3, 100):
            assert written.cavage_key(NOW + later * DAY) == published.cavage_key(NOW + DAY)
        assert _states(written.cavage) == ["active", "retiring"]
        assert _states(written.advance(NOW + 9 * DAY).cavage) == ["active"]

    @pytest.mark.req("KEYS-3")
    def test_the_key_for_older_peers_can_be_shown(self):
        """Discovery shows the public half in the form that a reader of such signatures takes."""
        key = RING.cavage_key(NOW)
        assert key.public_pem().startswith("-----BEGIN PUBLIC KEY-----\n")
        assert cavage.public_key(key.public_pem()).public_numbers() == key.private.public_key().public_numbers()
        assert key.private.key_size == 2048

    @pytest.mark.parametrize("kind", ["cavage", "ssh_host"])
    def test_a_ring_of_an_older_gateway_is_completed(self, kind):
        """A kind of key that is missing is made, active from now on; all others stay."""
        old = replace(RING, **{kind: ()})
        assert not old.is_complete
        completed = old.completed(NOW + 7.5)
        assert completed.is_complete
        assert [(slot.state, slot.since) for slot in getattr(completed, kind)] == [(KeyState.ACTIVE, NOW + 7)]
        assert replace(completed, **{kind: ()}) == old

    def test_a_key_that_is_made_later_bears_the_name_of_the_gateway(self):
        """A key for older peers is named by our public URL, also when it is made for a ring of an older gateway."""
        completed = replace(RING, cavage=()).completed(NOW)
        assert completed.cavage_key(NOW).key_id.startswith(f"{URL}/ocm#rsa-")

    def test_a_complete_ring_stays_as_it_is(self):
        """Nothing is made where nothing is missing."""
        assert RING.is_complete
        assert RING.completed(NOW + 5) == RING

    def test_a_next_host_key_is_a_fresh_one(self):
        """A rotation of the SSH host key announces one that was not there before."""
        following, active = RING.rotate_host(NOW).ssh_host
        assert following.key.public != active.key.public

    def test_advancing_begins_nothing(self):
        """Only `rotate` makes a new key."""
        assert RING.advance(NOW + 1000 * DAY) == RING

    def test_names_are_new(self):
        """A key never has a name that was used before."""
        published = RING.rotate(NOW, PACE)
        assert len(set(_kids(published))) == 4
        for kid, use in zip(_kids(published), ("sign", "sign", "token", "token"), strict=True):
            assert re.fullmatch(rf"https://sender\.example\.org/ocm#{use}-[0-9a-f]{{12}}", kid)

    @pytest.mark.req("KEYS-2")
    def test_the_order_of_keys_does_not_count(self):
        """A next key takes the active one's place also if the file names it last."""
        published = RING.rotate(NOW, PACE)
        turned = replace(published, signing=published.signing[::-1], token=published.token[::-1])
        exchanged = turned.advance(NOW + 100, PACE)

        assert exchanged.signing_key() == published.signing[0].key
        assert exchanged.token_key() == published.token[0].key
        assert _states(exchanged.signing) == _states(exchanged.token) == ["retiring", "active"]

    @given(st.lists(st.tuples(st.integers(0, 2000), st.booleans()), max_size=12))
    def test_there_is_never_a_gap(self, steps):
        """Whenever it is called, one key of each kind is active, and what signed stays published long enough."""
        # Without the RSA key, which takes long to make and passes through the same states.
        ring, now, signed = replace(RING, cavage=()), NOW, {}
        for seconds, begin in steps:
            now += seconds
            was_published = set(_kids(ring))
            signer_before = ring.signing_key().kid
            ring = ring.rotate(now, PACE) if begin else ring.advance(now, PACE)
            assert _states(ring.signing).count("active") == _states(ring.token).count("active") == 1
            signer = ring.signing_key().kid
            assert signer == signer_before or signer in was_published
            signed[signer_before] = now
            assert {kid for kid, last in signed.items() if now - last < 1000} <= set(_kids(ring))

    def test_encryption_keys(self):
        """A new encryption key opens at once, seals after its time, and the old one goes on opening."""
        sealed = Sealer(RING.sealing_keys()).seal(b"x", context="c")
        prepared = RING.rotate_sealing(NOW)
        assert prepared.rotate_sealing(NOW) == prepared
        assert prepared.sealing_keys()[0] == RING.sealing_keys()[0]
        assert len(prepared.sealing_keys()) == 2
        assert prepared.signing == RING.signing

        moved = prepared.advance(NOW + 100, PACE)
        assert moved.sealing_keys() == prepared.sealing_keys()[::-1]
        assert Sealer(moved.sealing_keys()).open(sealed, context="c") == b"x"
        assert moved.advance(NOW + 1000 * DAY, PACE) == moved
        assert _states(moved.sealing) == ["active", "retiring"]


def _refused(call, sentence):
    with pytest.raises(GatewayError) as caught:
        call()
    assert caught.value.kind is Kind.CONFIGURATION
    assert caught.value.code == "key-file"
    assert sentence in caught.value.public
    return caught.value


class TestKeyFile:
    """How keys are kept."""

    def test_round_trip(self, tmp_path):
        """A saved ring is loaded again, in every state, and its keys still sign."""
        ring = RING.rotate(NOW, PACE).rotate(NOW + 100, PACE).rotate_sealing(NOW)
        save_key_file(tmp_path / "keys.json", ring)
        loaded = load_key_file(tmp_path / "keys.json")

        assert loaded == ring
        assert loaded.jwks() == ring.jwks()

    def test_only_we_can_read_it(self, tmp_path):
        """The file has mode 0600 whatever the umask, and no other file is left behind."""
        before = os.umask(0)
        try:
            save_key_file(tmp_path / "keys.json", RING)
        finally:
            os.umask(before)

        assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
        assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]

    def test_it_is_written_beside_its_place(self, tmp_path, monkeypatch):
        """Until it is complete the new file lies in the same folder, hidden, so that one step puts it into place."""
        seen = []
        sync = os.fsync
        monkeypatch.setattr(
            os, "fsync", lambda handle: seen.append([path.name for path in tmp_path.iterdir()]) or sync(handle)
        )
        save_key_file(tmp_path / "keys.json", RING)

        [[during], after] = seen
        assert during.startswith(".keys.json.")
        assert after == ["keys.json"]

    def test_people_can_read_it(self, tmp_path):
        """The file is indented text that ends with a line break."""
        text = dump_key_ring(RING)

        assert text == json.dumps(json.loads(text), indent=2) + "\n"

    def test_a_failed_write_leaves_the_old_file(self, tmp_path):
        """If the new file cannot take the old one's place, the old one stays and nothing else does."""
        target = tmp_path / "keys.json"
        (target / "in the way").mkdir(parents=True)

        _refused(lambda: save_key_file(target, RING), "cannot be written")
        assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]

    @pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o666])
    def test_open_to_everybody(self, tmp_path, mode):
        """A file that everybody can read or write is refused."""
        save_key_file(tmp_path / "keys.json", RING)
        (tmp_path / "keys.json").chmod(mode)

        _refused(lambda: load_key_file(tmp_path / "keys.json"), "open to all users")

    @pytest.mark.parametrize("mode", [0o400, 0o440, 0o640])
    def test_open_to_a_group(self, tmp_path, mode):
        """A file that a group can read, as a mounted Secret, is accepted, also through a link."""
        save_key_file(tmp_path / "keys.json", RING)
        (tmp_path / "keys.json").chmod(mode)
        (tmp_path / "link").symlink_to("keys.json")

        assert load_key_file(tmp_path / "link") == RING

    def test_no_file(self, tmp_path):
        """A file that is not there, or is a folder, is told plainly."""
        _refused(lambda: load_key_file(tmp_path / "none"), "cannot be read: No such file")
        _refused(lambda: load_key_file(tmp_path), "cannot be read")
        _refused(lambda: save_key_file(tmp_path / "none" / "keys.json", RING), "cannot be written")

    def test_a_huge_file(self, tmp_path):
        """A file beyond all reason is not read."""
        path = tmp_path / "keys.json"
        save_key_file(path, RING)
        text = path.read_text()
        path.write_text(text.ljust(KEY_FILE_MAX_BYTES))
        assert load_key_file(path) == RING
        path.write_text(text.ljust(KEY_FILE_MAX_BYTES + 1))

        _refused(lambda: load_key_file(path), "too large")

    @pytest.mark.parametrize(
        "text", ["", "{}", "[]", "5", "[" * 100_000, '{"version": 1}', b"\xff", '{"version": 1, "signing": 5}']
    )
    def test_no_key_file(self, text):
        """What is no key file is refused without a traceback."""
        assert _refused(lambda: parse_key_ring(text), "malformed").public == "The key file is malformed."

    def test_another_version(self):
        """A file of a later version is not guessed at."""
        error = _refused(lambda: parse_key_ring(_changed("version", 2)), "another version")
        assert error.public == "The key file is of another version."

    @pytest.mark.parametrize(
        "name", ["public_url", "instance_id", "pepper", "signing", "token", "sealing", "cavage", "ssh_host"]
    )
    @pytest.mark.parametrize("value", ["", 5, None, [5], ["x"], [{}]])
    def test_members_of_another_kind(self, name, value):
        """Each member has to be there and of its kind."""
        _refused(lambda: parse_key_ring(_changed(name, value)), "malformed")

    @pytest.mark.parametrize(
        ("name", "value", "reason"),
        [
            ("public_url", "", "A text is missing."),
            ("signing", {}, "Keys come in a list."),
            ("pepper", "", "A value is empty."),
            ("pepper", "!QUFB", "Only base64 data is allowed"),
        ],
    )
    def test_what_is_malformed(self, name, value, reason):
        """Behind the refusal stands, for who debugs it, what was wrong."""
        assert str(_refused(lambda: parse_key_ring(_changed(name, value)), "malformed").__cause__) == reason

    @pytest.mark.parametrize("name", ["signing", "token", "sealing"])
    def test_not_one_active_key(self, name):
        """Of each kind exactly one key is active."""
        [entry] = json.loads(dump_key_ring(RING))[name]
        for entries in ([], [entry, entry], [{**entry, "state": "retiring"}]):
            error = _refused(lambda entries=entries: parse_key_ring(_changed(name, entries)), "exactly one active key")
            assert error.public == "The key file needs exactly one active key of each kind."

    @pytest.mark.parametrize("name", ["cavage", "ssh_host"])
    def test_not_one_active_key_of_a_younger_kind(self, name):
        """Of the kinds that older gateways did not have there may be no key at all, but not two active ones."""
        [entry] = json.loads(dump_key_ring(RING))[name]
        for entries in ([entry, entry], [{**entry, "state": "retiring"}]):
            _refused(lambda entries=entries: parse_key_ring(_changed(name, entries)), "exactly one active key")
        assert getattr(parse_key_ring(_changed(name, [])), name) == ()

    def test_a_file_of_an_older_gateway(self):
        """A file without the younger kinds of keys is read, and all that it has is as it was."""
        document = json.loads(dump_key_ring(RING))
        del document["cavage"], document["ssh_host"]
        assert parse_key_ring(json.dumps(document)) == replace(RING, cavage=(), ssh_host=())

    @pytest.mark.req("KEYS-3")
    def test_the_key_for_older_peers_is_kept(self):
        """The file brings back the RSA key under its name."""
        read, kept = (ring.cavage_key(NOW) for ring in (parse_key_ring(dump_key_ring(RING)), RING))
        assert read.key_id == kept.key_id
        assert read.private.private_numbers() == kept.private.private_numbers()

    @pytest.mark.req("KEYS-3")
    def test_the_key_for_older_peers_is_an_rsa_key_with_a_name(self):
        """Another kind of key, or one without a name, is refused in its place."""
        [entry] = json.loads(dump_key_ring(RING))["cavage"]
        other = RING.token_key().pem().decode()
        for key, why in (
            ({**entry["key"], "private": other}, "This key has to be an RSA key."),
            ({**entry["key"], "key_id": ""}, "A text is missing."),
        ):
            text = _changed("cavage", [{**entry, "key": key}])
            assert str(_refused(lambda text=text: parse_key_ring(text), "malformed").__cause__) == why

    def test_a_host_key_is_ed25519(self):
        """Another kind of key is refused as SSH host key."""
        [entry] = json.loads(dump_key_ring(RING))["ssh_host"]
        text = _changed("ssh_host", [{**entry, "key": RING.token_key().pem().decode()}])
        assert str(_refused(lambda: parse_key_ring(text), "malformed").__cause__) == "An SSH host key is Ed25519."

    @pytest.mark.parametrize(
        "private",
        [
            ec.generate_private_key(ec.SECP384R1()),
            ed25519.Ed25519PrivateKey.generate(),
            x25519.X25519PrivateKey.generate(),
        ],
        ids=["P-384", "Ed25519", "X25519"],
    )
    def test_a_key_of_another_kind(self, private):
        """A key that does not fit the algorithm beside it is refused."""
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        [entry] = json.loads(dump_key_ring(RING))["token"]
        entry["key"]["private"] = pem

        error = _refused(lambda: parse_key_ring(_changed("token", [entry])), "malformed")
        if isinstance(private, x25519.X25519PrivateKey):
            assert str(error.__cause__) == "Keys of this kind are not used here."

    def test_a_token_key_of_another_algorithm(self):
        """Access tokens are signed with ES256 and nothing else."""
        signing = json.loads(dump_key_ring(RING))["signing"]

        error = _refused(lambda: parse_key_ring(_changed("token", signing)), "malformed")
        assert str(error.__cause__) == "Access tokens are signed with ES256."

    def test_a_short_encryption_key(self):
        """An encryption key of another length is refused."""
        ring = replace(RING, sealing=(replace(RING.sealing[0], key=b"short"),))

        error = _refused(lambda: parse_key_ring(dump_key_ring(ring)), "malformed")
        assert str(error.__cause__) == "An encryption key has the wrong length."

    def test_states_are_spelled_out(self):
        """The file names states and times, so that an operator can read it."""
        [entry] = json.loads(dump_key_ring(RING))["signing"]

        assert entry["state"] == KeyState.ACTIVE.value == "active"
        assert entry["since"] == NOW
        assert entry["key"]["alg"] == Algorithm.ED25519.value


def _changed(name, value):
    return json.dumps({**json.loads(dump_key_ring(RING)), name: value})
