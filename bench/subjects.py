"""All subjects, in the order in which they run and are shown."""

from __future__ import annotations

from bench import relay, sessions, sftp, transfer, webdav
from bench.subject import Subject

_ALL = (relay.SUBJECT, webdav.SUBJECT, sftp.SUBJECT, sessions.SUBJECT, transfer.SUBJECT)
SUBJECTS: dict[str, Subject] = {subject.name: subject for subject in _ALL}
