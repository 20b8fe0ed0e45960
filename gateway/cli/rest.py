"""A small client of the gateway's own REST interface, for the commands of users and for the demo.

It uses the standard library only, and streams: no file is ever held whole. What the gateway says of an error is
passed on in its own words.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import quote

from gateway.errors import Fault, GatewayError, Kind, unavailable
from gateway.model.secret import Secret

TIMEOUT_SECONDS = 120.0
COPY_BYTES = 1024 * 1024
ERROR_MAX_BYTES = 64 * 1024
PAGES_MAX = 1000
_KIND_OF_STATUS = {
    400: Kind.INVALID,
    401: Kind.UNAUTHENTICATED,
    403: Kind.FORBIDDEN,
    404: Kind.NOT_FOUND,
    405: Kind.NOT_ALLOWED,
    409: Kind.CONFLICT,
    412: Kind.PRECONDITION_FAILED,
    413: Kind.TOO_LARGE,
    415: Kind.INVALID,
    423: Kind.LOCKED,
    429: Kind.LIMITED,
    501: Kind.NOT_IMPLEMENTED,
    502: Kind.UNAVAILABLE,
    503: Kind.UNAVAILABLE,
    504: Kind.UNAVAILABLE,
    507: Kind.NO_SPACE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RestClient:
    """Speaks to one gateway as one user.

    Attributes:
        url: the gateway's origin and prefix, `https://cloud.example.org/ocm`.
    """

    url: str
    user: str
    password: Secret

    def get(self, path: str) -> Any:
        """Return the JSON at a path below the interface's root."""
        return _json(self.call("GET", path))

    def post(self, path: str, document: Mapping[str, object] | None = None) -> Any:
        """Send JSON and return the JSON answered."""
        return _json(self.call("POST", path, json.dumps(document or {}).encode(), "application/json") or b"null")

    def patch(self, path: str, document: Mapping[str, object]) -> Any:
        """Change something by JSON and return the JSON answered."""
        return _json(self.call("PATCH", path, json.dumps(document).encode(), "application/json"))

    def put(self, path: str, document: Mapping[str, object]) -> Any:
        """Store JSON and return the JSON answered."""
        return _json(self.call("PUT", path, json.dumps(document).encode(), "application/json"))

    def shares(self, path: str, member: str = "shares") -> list[Any]:
        """Return all the shares (or what else is the `member`) of a list, however many pages it has."""
        found: list[Any] = []
        cursor = ""
        for _ in range(PAGES_MAX):
            page = self.get(path + (f"?cursor={quote(cursor, safe='')}" if cursor else ""))
            found += page[member]
            cursor = page["cursor"]
            if not cursor:
                break
        return found

    def call(self, method: str, path: str, body: bytes | None = None, content_type: str = "") -> bytes:
        """Make one request and return the body of the answer.

        Raises:
            GatewayError: with the gateway's own sentence, or `UNAVAILABLE` if it does not answer.
        """
        headers = {"Content-Type": content_type} if content_type else {}
        with self._open(method, path, body, headers) as answer, self._talking():
            return answer.read()

    def download(self, path: str, target: IO[bytes]) -> None:
        """Write the file at a path to `target`, piece by piece.

        Raises:
            GatewayError: as `call`; `CONFLICT` for a folder; `UNAVAILABLE` if it breaks off in the middle.
        """
        with self._open("GET", path, None, {}) as answer:
            # A file always comes as an attachment, a listing never does.
            if "Content-Disposition" not in answer.headers:
                raise GatewayError(Kind.CONFLICT, "This is a folder; name a file in it.")
            while piece := self._piece(answer):
                target.write(piece)
            # The library takes a torn body for a whole one where it is read in pieces.
            if answer.length:
                raise unavailable("The download broke off.")

    def upload(self, path: str, source: IO[bytes], size: int) -> None:
        """Store `size` bytes of `source` at a path, piece by piece. Raises as `call`."""
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        with self._open("PUT", path, source, headers) as answer:
            self._piece(answer)

    def _piece(self, answer: http.client.HTTPResponse) -> bytes:
        with self._talking():
            return answer.read(COPY_BYTES)

    def _open(
        self, method: str, path: str, body: bytes | IO[bytes] | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        packed = base64.b64encode(f"{self.user}:{self.password.reveal()}".encode()).decode()
        url = f"{self.url}/api/v1/{path}"
        if not url.startswith(("http://", "https://")):
            raise GatewayError(Kind.INVALID, "The gateway's URL begins with https:// or http://.")
        headers = {"Authorization": f"Basic {packed}", **headers}
        with self._talking():
            request = urllib.request.Request(url, data=body, headers=dict(headers), method=method)  # noqa: S310 - checked
            answer: http.client.HTTPResponse = _OPENER.open(request, timeout=TIMEOUT_SECONDS)
            return answer

    @contextlib.contextmanager
    def _talking(self) -> Iterator[None]:
        """Map what the connection may raise."""
        try:
            yield
        except urllib.error.HTTPError as error:
            with error:
                raise _told(error) from error
        except (OSError, http.client.HTTPException) as error:
            raise unavailable(f"The gateway at {self.url} does not answer.", log=str(error)) from error
        except ValueError as error:
            raise GatewayError(Kind.INVALID, "This is not the URL of a gateway.") from error


def path_in_url(path: str) -> str:
    """Return a path as it is written in a URL, without slashes around it; bytes that are not UTF-8 stay."""
    return quote(path.strip("/").encode(errors="surrogateescape"))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The gateway redirects no program; whoever does would get the user's pass word."""

    def redirect_request(self, *_arguments: object) -> None:
        """Refuse."""


_OPENER = urllib.request.build_opener(_NoRedirect)


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise GatewayError(Kind.INTERNAL, "This is not the REST interface of a gateway; check the URL.") from error


def _told(error: urllib.error.HTTPError) -> GatewayError:
    kind = _KIND_OF_STATUS.get(error.code, Kind.INTERNAL)
    try:
        document = json.loads(error.read(ERROR_MAX_BYTES))
        faults = tuple(Fault(str(each["name"]), str(each["message"])) for each in document.get("faults", ()))
        return GatewayError(kind, str(document["detail"]), faults=faults)
    except (ValueError, KeyError, TypeError, AttributeError):
        return GatewayError(kind, f"The gateway answered {error.code} {error.reason}.")
