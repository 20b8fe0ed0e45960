"""The words of the pages: notices, states, sizes and times, and what to do next when something failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from markupsafe import Markup

from gateway.errors import Kind
from gateway.model.share import MessageKind, ReceivedShare, ReceivedState, SentShare, SentState

KIBI = 1024
UNKNOWN = "—"

# Code in the URL to (is it good news?, sentence).
NOTICES: Mapping[str, tuple[bool, str]] = {
    "session-over": (False, "Your session has ended. Log in again; what you had typed was not saved."),
    "logged-out": (True, "You are logged out."),
    "uploaded": (True, "Uploaded."),
    "some-exist": (
        False,
        "Not everything was uploaded: there are files of the same name. Tick “Replace existing” to overwrite them.",
    ),
    "folder-made": (True, "The folder is there."),
    "deleted": (True, "Deleted."),
    "shared": (True, "Shared. The other provider has taken it; you will see here when it is accepted."),
    "sharing": (False, "The share is kept, but could not be delivered yet. It will be tried again by itself."),
    "share-refused": (False, "The other provider refused the share. The reason is below."),
    "revoked": (True, "Revoked. Nobody can open this share any more."),
    "accepted": (True, "Accepted. You can open it now."),
    "declined": (True, "Declined. The sender will be told."),
    "account-stored": (True, "It works, and is stored. The gateway opens your files with it from now on."),
    "account-withdrawn": (True, "Withdrawn. The gateway has forgotten this account."),
    "app-password-withdrawn": (True, "Withdrawn. Nothing opens with this app password any more."),
    "host-key-believed": (True, "Noted. You can open the share now."),
    "transfer-cancelled": (True, "Stopped. What was copied is in your files."),
    "ssh-key-added": (True, "The key is registered. You can log in with it over SFTP."),
    "ssh-key-removed": (True, "Removed. Nothing opens with this key any more."),
    "peer-asked": (True, "Asked. What it says now is below."),
    "peer-allowed": (True, "Allowed, in every replica, from now on."),
    "peer-denied": (True, "Blocked, in every replica, from now on."),
    "peer-unknown": (True, "Taken back. The lists in the configuration decide again."),
    "peer-retried": (True, "Its failures are forgotten; what waits for it is tried when it is next due."),
    "peer-forgotten": (True, "Forgotten. It is asked anew when it is next dealt with."),
    "left": (True, "Given back. The sender will be told."),
}

_HEADINGS = {
    Kind.INVALID: "That did not work",
    Kind.UNAUTHENTICATED: "Please log in",
    Kind.FORBIDDEN: "Not allowed",
    Kind.NOT_FOUND: "Not found",
    Kind.LIMITED: "Too fast",
    Kind.UNAVAILABLE: "Not available now",
    Kind.NO_SPACE: "No space left",
    Kind.INTERNAL: "Something went wrong",
}
_NEXT_STEPS = {
    Kind.INVALID: "Check what you typed and try again.",
    Kind.FORBIDDEN: "If you think that you should be allowed to do this, ask the owner or your administrator.",
    Kind.NOT_FOUND: "It may have been moved, renamed or deleted.",
    Kind.CONFLICT: "Look at the list again; it may have changed meanwhile.",
    Kind.LIMITED: "Wait a little and try again.",
    Kind.UNAVAILABLE: "Nothing is lost. Try again in a few minutes; if it goes on, tell your administrator.",
    Kind.NO_SPACE: "Delete something, or ask your administrator for more space.",
    Kind.INTERNAL: "Tell your administrator the number below.",
}


def heading_of(kind: Kind) -> str:
    """Return what stands over a page that tells of an error."""
    return _HEADINGS.get(kind, "That did not work")


def next_step(kind: Kind) -> str:
    """Return what a user can do about an error; empty if nothing."""
    return _NEXT_STEPS.get(kind, "")


def sent_words(share: SentShare, now: float) -> str:
    """Return the state of a share that the user granted, in words."""
    if share.state in _SENT_OPEN and not share.stands(now):
        return "Expired"
    return _SENT[share.state]


def sent_tone(share: SentShare, now: float) -> str:
    """Return how that state is coloured: `good`, `wait`, `bad` or `over`."""
    if share.state in _SENT_OPEN and not share.stands(now):
        return "over"
    return _SENT_TONES[share.state]


def waiting_words(share: SentShare) -> str:
    """Return what still has to be told to the other provider, in words; empty if nothing has failed."""
    failed = next((message for message in share.outbox if message.last_error), None)
    if failed is None:
        return ""
    what = "delivered" if failed.kind is MessageKind.SHARE else "told to the other provider"
    often = "once" if failed.attempts == 1 else f"{failed.attempts} times"
    return f"Not {what} yet, tried {often}: {failed.last_error}"


def received_words(share: ReceivedShare, now: float) -> str:
    """Return the state of a share that the user received, in words."""
    if share.state in _RECEIVED_OPEN and share.expires_at is not None and share.expires_at <= now:
        return "Expired"
    return _RECEIVED[share.state]


def size_words(size: int | None) -> str:
    """Return a number of bytes in IEC units."""
    if size is None:
        return UNKNOWN
    amount, unit = float(size), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < KIBI:
            break
        amount, unit = amount / KIBI, larger
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


def time_tag(seconds: float | None) -> Markup:
    """Return a time as a `time` element, in UTC, which is the one zone that we know."""
    if seconds is None:
        return Markup.escape(UNKNOWN)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return Markup.escape(UNKNOWN)
    template = Markup('<time datetime="{}">{}</time>')
    return template.format(moment.isoformat(timespec="seconds"), moment.strftime("%Y-%m-%d %H:%M UTC"))


def soon_words(seconds: float, now: float) -> str:
    """Return how far off a time is, roughly."""
    minutes = max(0, round((seconds - now) / 60))
    if minutes < 1:
        return "in less than a minute"
    if minutes < 120:  # noqa: PLR2004 - two hours are told in minutes
        return f"in about {minutes} minute{'s' if minutes > 1 else ''}"
    return f"in about {round(minutes / 60)} hours"


def today(now: float) -> str:
    """Return the date as a date field wants it."""
    return time.strftime("%Y-%m-%d", time.gmtime(now))


_SENT_OPEN = frozenset({SentState.DELIVERING, SentState.DELIVERED, SentState.ACCEPTED})
_RECEIVED_OPEN = frozenset({ReceivedState.PENDING, ReceivedState.ACCEPTED})
_SENT = {
    SentState.DELIVERING: "On its way",
    SentState.DELIVERED: "Delivered, not answered yet",
    SentState.ACCEPTED: "Accepted",
    SentState.DECLINED: "Declined or given back",
    SentState.REFUSED: "Refused by the other provider",
    SentState.REVOKED: "Revoked",
    SentState.EXPIRED: "Expired",
}
_SENT_TONES = {
    SentState.DELIVERING: "wait",
    SentState.DELIVERED: "wait",
    SentState.ACCEPTED: "good",
    SentState.DECLINED: "over",
    SentState.REFUSED: "bad",
    SentState.REVOKED: "over",
    SentState.EXPIRED: "over",
}
_RECEIVED = {
    ReceivedState.PENDING: "Waits for your answer",
    ReceivedState.ACCEPTED: "Accepted",
    ReceivedState.DECLINED: "Declined or given back",
    ReceivedState.UNSHARED: "Ended by its owner",
    ReceivedState.EXPIRED: "Expired",
}

FILTERS: Mapping[str, Callable[..., str]] = {"size": size_words, "time": time_tag}
