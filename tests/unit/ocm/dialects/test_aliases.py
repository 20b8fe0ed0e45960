from __future__ import annotations

import pytest

from gateway.ocm.dialects import aliases


@pytest.mark.parametrize(
    ("table", "words", "meant"),
    [
        (aliases.CAPABILITIES, "invites invite-accepted /invite-accepted", "invites"),
        (aliases.CAPABILITIES, "notifications /notifications", "notifications"),
        (aliases.CAPABILITIES, "enforce-mfa mfa-capable /mfa-capable", "enforce-mfa"),
        (aliases.CAPABILITIES, "exchange-token receive-code token-exchange", "exchange-token"),
        (aliases.CAPABILITIES, "http-sig rfc-http-sig", "http-sig"),
        (aliases.CRITERIA, "must-use-http-sig http-request-signatures", "must-use-http-sig"),
        (aliases.CRITERIA, "must-exchange-token token-exchange code", "must-exchange-token"),
        (aliases.CRITERIA, "must-invite invite", "must-invite"),
        (aliases.REQUIREMENTS, "must-use-mfa mfa-enforced", "must-use-mfa"),
        (aliases.REQUIREMENTS, "must-exchange-token use-code", "must-exchange-token"),
        (aliases.REQUIREMENTS, "other", "other"),
    ],
)
def test_translated(table, words, meant):
    """Every spelling of a word means the draft's word; an unknown one stays as it is."""
    for word in words.split():
        assert aliases.translated([word], table) == {meant}
