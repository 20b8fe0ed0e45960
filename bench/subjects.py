"""All subjects, in the order in which they run and are shown."""

from __future__ import annotations

from bench import relay, transfer, webdav
from bench.subject import Subject

SUBJECTS: dict[str, Subject] = {subject.name: subject for subject in (relay.SUBJECT, webdav.SUBJECT, transfer.SUBJECT)}
