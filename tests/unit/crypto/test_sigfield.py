"""Which of a message's signatures is the OCM one, and how a signature is remembered (SIG-3, SIG-8)."""

import hashlib
from dataclasses import replace

import pytest

from gateway.crypto.refusal import Reason
from gateway.crypto.sigfield import (
    COMPONENTS_MAX,
    FIELD_MAX_CHARS,
    FIELD_MAX_MEMBERS,
    Component,
    find_signature,
    replay_key,
)
from support.signatures import KEY_ID, NOW, Draft, refused


def _found(member, signature="ocm=:QUFBQQ==:"):
    return find_signature([("Signature-Input", member), ("Signature", signature)])


class TestSelection:
    """Which signature is chosen."""

    @pytest.mark.req("SIG-3")
    @pytest.mark.parametrize(
        "headers",
        [
            [],
            [("Signature", 'keyId="https://x/ocm#signature",algorithm="rsa-sha512",signature="abc"')],
            [("Signature-Input", 'sig1=("@method");keyid="k"'), ("Signature", "sig1=:QUFB:")],
            [("Signature-Input", 'ocm=("@method");keyid="k";tag="other"'), ("Signature", "ocm=:QUFB:")],
            [("Signature-Input", 'sig1=("@method");keyid="k";tag=ocm'), ("Signature", "sig1=:QUFB:")],
            [("Signature-Input", "nonsense, (("), ("Signature", "ocm=:QUFB:")],
        ],
    )
    def test_no_ocm_signature(self, headers):
        """A message without a signature marked as OCM's is unsigned, whatever else it carries."""
        assert find_signature(headers) is None

    @pytest.mark.req("SIG-3")
    def test_the_tag_comes_before_the_label(self):
        """Where a tagged signature is, one that only has the label is left alone."""
        lines = [*Draft().but(tag=None).signed(), *replace(Draft(), label="sig1").signed()[-2:]]
        claimed = find_signature(lines)

        assert claimed.label == "sig1"
        assert claimed.by_label_only is False

    @pytest.mark.req("SIG-3")
    def test_what_is_claimed(self):
        """All that a check needs is taken from the chosen member."""
        claimed = _found(
            'ocm=("date" "x";sf);created=5;expires=9;keyid="k";alg="ed25519";nonce="n";more=1, other=("@path")'
        )

        assert claimed.label == "ocm"
        assert claimed.by_label_only is True
        assert claimed.unverified_key_id == "k"
        assert (claimed.created, claimed.expires) == (5, 9)
        assert (claimed.algorithm, claimed.nonce) == ("ed25519", "n")
        assert claimed.components == (Component("date", is_bare=True), Component("x", is_bare=False))
        assert claimed.strange_parameters == {"more"}
        assert claimed.signature == b"AAAA"
        assert claimed.input_member.endswith(";more=1")
        assert claimed.signature_member == "ocm=:QUFBQQ==:"

    def test_a_comma_in_a_string_ends_no_member(self):
        """Commas and escaped quotes inside a string belong to it."""
        claimed = _found('a=("x\\", y"), ocm=();keyid="a,\\"b"')

        assert claimed.unverified_key_id == 'a,"b'

    def test_a_string_hides_what_is_in_it(self):
        """What looks like a signature inside another one's string is none, even behind a line break."""
        assert _found('a="\\\n,ocm=();keyid="k"') is None

    def test_the_signature_is_no_part_of_its_text(self):
        """The bytes of a signature are not shown when it is logged."""
        assert "AAAA" not in repr(_found('ocm=();keyid="k"')).replace("QUFBQQ", "AAAA")


class TestRefused:
    """What is kept out, and why."""

    @pytest.mark.parametrize(
        "member",
        [
            'ocm=("date";keyid="k"',
            "ocm=5",
            "ocm=:QUFB:",
            'ocm=("date");created=1.5;keyid="k"',
            'ocm=("date");created="1";keyid="k"',
            'ocm=("date");created;keyid="k"',
            'ocm=("date");expires=?1;keyid="k"',
            'ocm=("date");keyid=k',
            'ocm=("date");keyid="k";nonce=1',
            'ocm=("date");keyid="k";alg=:QQ==:',
            'ocm=("date");keyid="k";tag=ocm',
            'sig=("date" ;keyid="k";tag="ocm"',
            'ocm=("date" 5);keyid="k"',
            'ocm=(date);keyid="k"',
            'ocm=("date");keyid="\u00e9"',
            'ocm=("date");keyid="k',
            'Xocm=("date");keyid="k";tag="ocm"',
            '\x0bocm=("date");keyid="k";tag="ocm"',
            'ocm=("date");keyid="k";tag="ocm";more=%"\\", b="',
        ],
    )
    def test_malformed(self, member):
        """What claims to be the OCM signature and cannot be read is refused, not taken as unsigned."""
        with refused(Reason.MALFORMED):
            _found(member)

    @pytest.mark.parametrize(
        "signature", ["", "ocm=", "ocm=5", "ocm=::", "ocm=:Q", "other=:QUFB:", 'ocm="QUFB"', "ocm"]
    )
    def test_without_its_value(self, signature):
        """A signature whose value is absent, empty or no byte sequence is refused."""
        with refused(Reason.MALFORMED):
            _found('ocm=("date");keyid="k"', signature)

    def test_a_malformed_second_claim(self):
        """A readable OCM signature beside an unreadable one that says it is OCM's too is refused."""
        with refused(Reason.AMBIGUOUS):
            _found('ocm=();keyid="k";tag="ocm", b=((;tag="ocm"')

    def test_a_repeated_tag_hides_nothing(self):
        """A foreign-looking signature with a second `tag` that says `ocm` counts as OCM's."""
        with refused(Reason.AMBIGUOUS):
            _found('ocm=();keyid="k";tag="ocm", b=();keyid="k";tag="ocm";tag="x"')


class TestLimits:
    """Bounds on the fields."""

    def test_long_fields(self):
        """Each of the two fields has a bound over all its lines."""
        rest = 'ocm=();keyid="k",'
        exact = rest + "x" * (FIELD_MAX_CHARS - len(rest))

        assert _found(exact) is not None
        with refused(Reason.TOO_LARGE):
            _found(exact + "x")
        with refused(Reason.TOO_LARGE):
            _found(rest, "ocm=:QUFB:," + "x" * FIELD_MAX_CHARS)

    def test_many_signatures(self):
        """The number of signatures is bounded."""
        foreign = ",".join(f"s{index}=()" for index in range(FIELD_MAX_MEMBERS - 1))

        assert _found(f'ocm=();keyid="k",{foreign}') is not None
        with refused(Reason.TOO_LARGE):
            _found(f'ocm=();keyid="k",{foreign},more=()')

    def test_many_components(self):
        """The number of covered components is bounded."""
        names = " ".join(f'"x{index}"' for index in range(COMPONENTS_MAX))

        assert len(_found(f'ocm=({names});keyid="k"').components) == COMPONENTS_MAX
        with refused(Reason.TOO_LARGE):
            _found(f'ocm=({names} "y");keyid="k"')


class TestReplayKey:
    """The name under which a signature is remembered."""

    @pytest.mark.req("SIG-8")
    def test_it_names_signature_and_key(self):
        """The same signature has one name; another signature or another key has another."""
        claimed = find_signature(Draft().signed())
        later = find_signature(Draft().but(created=str(NOW + 1)).signed())

        assert replay_key(claimed) == replay_key(find_signature(Draft().signed()))
        assert replay_key(claimed) != replay_key(later)
        assert replay_key(claimed) != replay_key(replace(claimed, unverified_key_id=KEY_ID + "x"))
        assert len(replay_key(claimed)) == 64

    @pytest.mark.req("SIG-8")
    def test_the_name_stays(self):
        """The name is the same in every version, since a store outlives an upgrade."""
        claimed = replace(find_signature(Draft().signed()), unverified_key_id="k", signature=b"abcd")

        assert replay_key(claimed) == hashlib.sha256(b"k\0ab").hexdigest()

    @pytest.mark.req("SIG-8")
    def test_a_mirrored_ecdsa_signature_has_no_other_name(self):
        """The second half of an ECDSA signature can be changed by anybody and still hold, so it does not count."""
        claimed = find_signature(Draft().signed())
        half = len(claimed.signature) // 2
        mirrored = replace(claimed, signature=claimed.signature[:half] + bytes(half), label="x")
        other = replace(claimed, signature=claimed.signature[: half - 1] + bytes(half + 1))

        assert replay_key(mirrored) == replay_key(claimed)
        assert replay_key(other) != replay_key(claimed)
