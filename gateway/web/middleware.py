"""What happens to every request: a number, a log line, metrics, and errors told in the door's own words.

The log line holds the path of our own doors only up to what may be secret: no query, no token, and below the WebDAV
door no names of files at level `info`.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Callable

import structlog
from aiohttp import ClientConnectionResetError, web
from aiohttp.typedefs import Handler, Middleware

from gateway.errors import GatewayError, Kind
from gateway.log import get_logger
from gateway.metrics import Metrics
from gateway.model.policy import PERMISSION_OF_METHOD
from gateway.web.aio import SERVER_NAME, is_waiting
from gateway.web.answers import REQUEST_ID, answer_error
from gateway.web.doors import Style, door_of
from gateway.web.head import ClientGone
from gateway.web.status import AMBIGUOUS

log = get_logger("gateway.access")


_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_CLIENT_WENT_AWAY = 499


def watch(metrics: Metrics, now: Callable[[], float] = time.perf_counter) -> Middleware:
    """Return the middleware that numbers, counts and logs requests and turns errors into answers."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        door = door_of(request)
        name = door.name if door else "passthrough"
        request[REQUEST_ID] = _request_id(request)
        structlog.contextvars.bind_contextvars(request=request[REQUEST_ID])
        started = now()
        status = 400
        metrics.in_flight.inc()
        try:
            # An absolute-form target would name the path twice, once for us and once for who reads it behind us.
            if not request.raw_path.startswith("/") or request.method == "CONNECT":
                return _closing(web.Response(status=400, text="The request target has to be a path.\n"))
            if door is not None and not door.is_written(request.raw_path):
                status = 404
                return web.Response(status=404, text="Nothing is here under this spelling.\n")
            response = await _answer(request, handler, door.style if door else Style.PAGE, name, metrics)
            status = response.status
        except web.HTTPException as answer:
            status = answer.status
            raise
        except (ClientGone, ClientConnectionResetError, ConnectionResetError):
            status = _CLIENT_WENT_AWAY
            raise
        except asyncio.CancelledError:
            status = _CLIENT_WENT_AWAY
            raise
        finally:
            metrics.in_flight.dec()
            seconds = now() - started
            metrics.requests.labels(name, _method(request), str(status)).inc()
            metrics.request_seconds.labels(name).observe(seconds)
            # Names of files are for those only who look for a fault.
            log.debug("target", door=name, method=_method(request), path=request.path, status=status)
            log.info("request", door=name, method=_method(request), status=status, ms=round(seconds * 1000, 1))
            structlog.contextvars.unbind_contextvars("request")
        return response

    return middleware


async def stamp(request: web.Request, response: web.StreamResponse) -> None:
    """Add to every answer of our own doors what guards browsers and helps people who report a fault."""
    response.headers["Server"] = SERVER_NAME
    if REQUEST_ID in request:
        response.headers["X-Request-Id"] = request[REQUEST_ID]
    if door_of(request) is not None:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        response.headers.setdefault("X-Frame-Options", "DENY")
        response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")


async def _answer(
    request: web.Request, handler: Handler, style: Style, door: str, metrics: Metrics
) -> web.StreamResponse:
    try:
        return await handler(request)
    except GatewayError as error:
        metrics.refusals.labels(door, error.kind.value).inc()
        if error.log or error.kind in (Kind.UNAVAILABLE, Kind.INTERNAL):
            log.warning("refused", door=door, reason=str(error), error=error.code)
        answer = answer_error(style, request, error)
        # Where the next request begins is unclear if this one's body may still come, or not.
        return _closing(answer) if is_waiting(request) or error.code == AMBIGUOUS else answer
    except web.HTTPException:
        raise
    except (ClientGone, ConnectionResetError):
        raise
    # The last line of defence: a stranger never sees a traceback.
    except Exception as error:
        log.exception("internal error", door=door)
        fault = GatewayError(Kind.INTERNAL, "Something went wrong here; the operator can find it by the request id.")
        fault.__cause__ = error
        return answer_error(style, request, fault)


def _closing(response: web.Response) -> web.Response:
    response.force_close()
    return response


def _request_id(request: web.Request) -> str:
    claimed = request.headers.get("X-Request-Id", "")
    return claimed if _REQUEST_ID.fullmatch(claimed) else secrets.token_hex(8)


_METHODS = frozenset({*PERMISSION_OF_METHOD, "POST", "PATCH"})


def _method(request: web.Request) -> str:
    return request.method if request.method in _METHODS else "other"
