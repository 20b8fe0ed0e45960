"""How the gateway logs: one event a line, as text for people or JSON for machines, and never a secret.

`get_logger` is all that other modules need. Values of type `Secret` show as `***`; keys that name a secret are
blanked as a second fence.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, WrappedLogger

_BLANKED = frozenset({"authorization", "cookie", "password", "secret", "shared_secret", "token", "access_token"})


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger that names its module."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(module=name)
    return logger


def configure(level: str = "info", form: str = "text") -> None:
    """Send all logs of this process to standard error.

    Args:
        level: the least level that is written (`debug`, `info`, `warning`, `error`).
        form: `text` or `json`.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    renderer: Any = structlog.processors.JSONRenderer() if form == "json" else _as_line
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            blank_secrets,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=max(threshold, logging.WARNING), handlers=[_Foreign()], force=True)


class _Foreign(logging.Handler):
    """Lets libraries speak in the gateway's own form, so that a reader of JSON meets nothing else."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record of a library."""
        logger = get_logger(record.name)
        logger.log(record.levelno, record.getMessage(), exc_info=record.exc_info or None)


def _as_line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    # Several times quicker than the library's renderer for consoles, and every request writes a line.
    traceback = event.pop("exception", "")
    head = f"{event.pop('timestamp')} {event.pop('level'):<7} {event.pop('event')}"
    facts = "".join(f"  {name}={_fact(value)}" for name, value in event.items())
    return head + facts + (f"\n{traceback}" if traceback else "")


def _fact(value: object) -> str:
    # What a stranger wrote can neither begin a new line nor look like another fact.
    text = str(value)
    return text if text.isprintable() and not set(text) & {" ", "=", '"'} else repr(text)


def blank_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Blank the values of keys that name a secret."""
    return {key: "***" if key.lower() in _BLANKED else value for key, value in event.items()}
