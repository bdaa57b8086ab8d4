"""Errors as RFC 9457 problem documents: application/problem+json that names ticket, state, event and code."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError, ValidationException, WebSocketRequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from hub.database.faults import DatabaseFault
from hub.queue.answers import RefusedAnswer
from hub.tasks import Busy
from protocol.instants import to_wire

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"

# HTTP status by the stable code of a refusal. Any other code is a conflict with the current state: 409.
STATUS_OF_REFUSAL = {
    "not_this_desk": 403,
    "unknown": 404,
    "too_old": 410,
    "day_over": 410,
    "click_too_old": 410,
    "numbers_used_up": 503,
}
CONFLICT = 409
# Kinds of things that a path names. An unknown one is 404; what only a body names is 422.
IN_PATH = frozenset({"desk", "ticket", "hall", "report"})


class Problem(JSONResponse):
    media_type = MEDIA_TYPE


class NoSuch(Exception):
    """This site has no such desk, hall, service or ticket."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"this site has no {kind} {name!r}")
        self.kind, self.name = kind, name


def problem(status: int, code: str, detail: str, facts: Mapping[str, Any] | None = None) -> Problem:
    """Create a problem. `code` is stable, `detail` one English sentence; `facts` become members of the document."""
    body = {
        "type": f"urn:suivant:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    return Problem({**(facts or {}), **body}, status)


def of_refusal(answer: RefusedAnswer) -> Problem:
    """Turn a refusal into a problem; times among its facts become RFC 3339."""
    facts = {
        name.removesuffix("_ms") if name.endswith("at_ms") else name: to_wire(value)
        if name.endswith("at_ms") and isinstance(value, int)
        else value
        for name, value in answer.facts.items()
    }
    return problem(status_of(answer), answer.code, answer.detail, facts)


def status_of(answer: RefusedAnswer) -> int:
    if answer.code == "unknown" and answer.facts.get("kind") not in IN_PATH:
        return HTTPStatus.UNPROCESSABLE_ENTITY
    return STATUS_OF_REFUSAL.get(answer.code, CONFLICT)


DATABASE_AWAY = "the database is away: try again"


def install(app: FastAPI) -> None:
    """Make the app answer its errors with problems."""
    app.exception_handler(NoSuch)(_no_such)
    app.exception_handler(HTTPException)(_http)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(WebSocketRequestValidationError)(_invalid_handshake)
    app.exception_handler(Busy)(_busy)
    app.exception_handler(DatabaseFault)(_busy)
    # The guard answers every other exception, with `failed`.


async def _no_such(_request: Request, error: NoSuch) -> Response:
    return problem(404, "unknown", str(error), {"kind": error.kind, "name": error.name})


async def _http(_request: Request, error: HTTPException) -> Response:
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    response = problem(error.status_code, code, str(error.detail))
    response.headers.update(error.headers or {})
    return response


async def _invalid(_asked: HTTPConnection, error: ValidationException) -> Response:
    """One sentence for each field: where it is, and what would be right."""
    errors = [{"where": ".".join(map(str, each["loc"])), "what": each["msg"]} for each in error.errors()]
    detail = "; ".join(f"{each['where']}: {each['what']}" for each in errors)
    return problem(422, "invalid_request", detail, {"errors": errors})


async def _invalid_handshake(websocket: WebSocket, error: WebSocketRequestValidationError) -> None:
    await websocket.send_denial_response(await _invalid(websocket, error))


async def _busy(request: Request, error: Exception) -> Response:
    """Nothing was done and the client may retry: the writer's queue is full, or the database is away."""
    # The error may name the database's place: it goes into the log, not to the client.
    code, said = ("hub_busy", str(error)) if isinstance(error, Busy) else ("database_away", DATABASE_AWAY)
    log.warning("web.not_done", path=request.url.path, code=code, error=str(error))
    response = problem(503, code, said)
    response.headers["retry-after"] = "1"
    return response


def failed(path: str, error: Exception) -> Response:
    log.error("web.failed", path=path, error=type(error).__name__)
    return problem(
        500, "hub_failed", "the hub failed to answer this request; its log says why, and nothing was changed"
    )
