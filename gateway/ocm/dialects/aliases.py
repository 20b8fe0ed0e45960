"""The many names of one thing: older drafts and deployed peers on the left, the draft's word on the right.

The tables are `dialects.md` 9.1. A word that is in no table stays as it is; whether it means anything is decided
where it is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# Up to 1.1 with a leading slash, as Nextcloud and oCIS still write it; `receive-code` is 1.2, `token-exchange` a slip.
CAPABILITIES: Mapping[str, str] = {
    "invite-accepted": "invites",
    "/invite-accepted": "invites",
    "/notifications": "notifications",
    "mfa-capable": "enforce-mfa",
    "/mfa-capable": "enforce-mfa",
    "receive-code": "exchange-token",
    "token-exchange": "exchange-token",
    "rfc-http-sig": "http-sig",
}
# The words of 1.2 and 1.3.
CRITERIA: Mapping[str, str] = {
    "http-request-signatures": "must-use-http-sig",
    "token-exchange": "must-exchange-token",
    "code": "must-exchange-token",
    "invite": "must-invite",
}
# The words of 1.2; before it, `mfa-enforced` was a permission.
REQUIREMENTS: Mapping[str, str] = {
    "mfa-enforced": "must-use-mfa",
    "use-code": "must-exchange-token",
}
# CERNBox also takes `ocm_share`; 1.2 had a grant type of its own.
GRANT_TYPES = frozenset({"authorization_code", "ocm_authorization_code", "ocm_share"})

# ocm-stub writes `endpoint`, `URI` and `type`; Nextcloud up to 31 knows `sharedBy` only.
END_POINT = ("endPoint", "endpoint")
WEBDAV_URI = ("uri", "url", "URI")
SENDER = ("sender", "sharedBy", "owner")
SENDER_DISPLAY_NAME = ("senderDisplayName", "sharedByDisplayName")
NOTIFICATION_TYPE = ("notificationType", "type")
# Where a refusal says why: opencloudmesh-go has `reason`, Seafile and other Django servers `error_msg` or `detail`.
REFUSAL_REASON = ("message", "reason", "error_msg", "detail")
# The draft has `userID`; Nextcloud 32 and the oldest servers have `userId` (live-captures.md, 29).
USER_ID = ("userID", "userId")


def translated(words: Iterable[str], table: Mapping[str, str]) -> frozenset[str]:
    """Return the draft's words for `words`."""
    return frozenset(table.get(word, word) for word in words)
