"""A form with files (RFC 7578), streamed: no more of a file is held than one piece.

The form's token has to be its first field. A file whose name is taken is read and thrown away, unless the form says
to replace; what went before it stays. After a failure the rest of the form is still read, or else the browser would
show a broken connection instead of our answer.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field

from aiohttp import BodyPartReader, ClientError, MultipartReader, web
from aiohttp.http import HttpProcessingError

from gateway.backends.base import Backend
from gateway.errors import GatewayError, Kind
from gateway.model.resource import ResourcePath
from gateway.web.aio import continue_now
from gateway.web.head import ClientGone
from gateway.web.status import unsupported_body

PIECE_BYTES = 256 * 1024
FIELD_MAX_BYTES = 1024
CSRF_FIELD, REPLACE_FIELD = "csrf", "replace"
MALFORMED = "form-malformed"
_CLIENT_GONE = (ConnectionError, ClientError, web.RequestPayloadError, EOFError)


@dataclass(slots=True)
class Upload:
    """What came of a form: how many files were stored, and the names that were taken already."""

    stored: int = 0
    existing: list[str] = field(default_factory=list)


async def receive(
    request: web.Request, backend: Backend, folder: ResourcePath, check_token: Callable[[str], None]
) -> Upload:
    """Store the files of a form in `folder`.

    Args:
        check_token: raises unless the form came from our own page; nothing is stored before it was asked.

    Raises:
        GatewayError: as `Backend.write`; what `check_token` raises; `INVALID` for a malformed form.
    """
    if request.content_type != "multipart/form-data":
        raise unsupported_body("This is not a form of this page.")
    await continue_now(request)
    with _reading():
        form = await request.multipart()
    done, may_replace, is_checked = Upload(), False, False
    trouble: GatewayError | None = None
    while (part := await _next(form)) is not None:
        if not is_checked:
            check_token(await _text(part) if part.name == CSRF_FIELD else "")
            is_checked = True
        elif part.name == REPLACE_FIELD:
            may_replace = bool(await _text(part))
        elif part.filename and trouble is None:
            trouble = await _keep(part, backend, folder, done, may_replace=may_replace)
    if trouble is not None:
        raise trouble
    return done


async def _keep(
    part: BodyPartReader, backend: Backend, folder: ResourcePath, done: Upload, *, may_replace: bool
) -> GatewayError | None:
    # Some browsers send the path on the user's disk with the name.
    name = (part.filename or "").replace("\\", "/").rpartition("/")[2]
    try:
        async with aclosing(_pieces(part)) as pieces:
            await backend.write(folder / name, pieces, if_none_match=None if may_replace else "*")
    except GatewayError as error:
        if error.code == MALFORMED:
            raise
        if error.kind is not Kind.PRECONDITION_FAILED:
            return error
        done.existing.append(name)
    else:
        done.stored += 1
    return None


async def _next(form: MultipartReader) -> BodyPartReader | None:
    """Return the next part; what is left of the one before is read and thrown away."""
    with _reading():
        part = await form.next()
    if part is not None and not isinstance(part, BodyPartReader):
        raise _malformed()
    return part


async def _pieces(part: BodyPartReader) -> AsyncGenerator[bytes, None]:
    while not part.at_eof():
        with _reading():
            piece = await part.read_chunk(PIECE_BYTES)
        if piece:
            yield piece


async def _text(part: BodyPartReader) -> str:
    text = bytearray()
    async for piece in _pieces(part):
        text += piece
        if len(text) > FIELD_MAX_BYTES:
            raise _malformed()
    return text.decode(errors="replace")


@contextmanager
def _reading() -> Iterator[None]:
    """Map what reading a form may raise; only reading, so that no fault of a storage is taken for the browser's."""
    try:
        yield
    except _CLIENT_GONE as error:
        raise ClientGone("the form broke off") from error
    except (ValueError, AssertionError, HttpProcessingError) as error:
        raise _malformed() from error


def _malformed() -> GatewayError:
    return GatewayError(Kind.INVALID, "This form is malformed.", code=MALFORMED)
