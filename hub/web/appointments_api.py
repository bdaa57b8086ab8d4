"""The API's addresses about appointments: the age of their list, the reports that failed, and Publik's push."""

from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Body, Request
from starlette.responses import JSONResponse, Response

from hub.queue.answers import DoneAnswer
from hub.queue.requests import RetryReport, Source
from hub.web import appointment_documents as d
from hub.web.addresses import ReportId
from hub.web.api import PROBLEMS, PROBLEMS_OF_COMMANDS, answered
from hub.web.asking import origin_of
from hub.web.desk.booking_reading import FailedReport, read_failed_count, read_failed_reports
from hub.web.documents import TicketDone
from hub.web.guard import PUSH_PATH
from hub.web.parts import WebParts
from protocol.instants import to_wire

T = TypeVar("T")

_PUSH_ANSWERS: dict[int | str, dict[str, Any]] = {
    403: {
        "model": d.PushDocument,
        "description": "The call is not signed by this site's Publik, is too old, or was sent twice",
    },
    404: {"model": d.PushDocument, "description": "This site does not take its bookings from Publik"},
    413: {"description": "The body is longer than 64 KiB"},
    429: {"model": d.PushDocument, "description": "Too many calls: one is enough, since the hub fetches all changes"},
}
_PUSH_TAKES: dict[str, Any] = {
    "parameters": [
        {"name": name, "in": "query", "required": True, "description": what, "schema": {"type": "string"}}
        for name, what in {
            "orig": "The caller: the host name of Publik.",
            "algo": "The hash algorithm of the signature: sha256.",
            "timestamp": "When the call was signed, in UTC: at most 30 s ago.",
            "nonce": "A random text. The hub accepts each one only once.",
            "signature": "The HMAC of the query before this parameter, in Base64; must be the last parameter.",
        }.items()
    ],
    "requestBody": {
        "description": "What w.c.s. sends about a request. The hub uses it only as a hint which request to fetch.",
        "content": {"application/json": {"schema": {"type": "object"}, "example": {"form_url": "…/rendez-vous/47/"}}},
    },
}


def create_appointments_api(parts: WebParts) -> APIRouter:
    router = APIRouter(prefix="/api/v1")
    api = AppointmentsApi(parts)
    router.add_api_route("/appointments", api.appointments, response_model=d.AppointmentsDocument, responses=PROBLEMS)
    router.add_api_route("/appointments/reports", api.reports, response_model=d.ReportsDocument, responses=PROBLEMS)
    router.add_api_route(
        "/appointments/reports/{report}/retry",
        api.retry,
        methods=["POST"],
        operation_id="retry_report",
        response_model=TicketDone,
        responses=PROBLEMS_OF_COMMANDS,
    )
    router.add_api_route(
        PUSH_PATH.removeprefix(router.prefix),
        api.push,
        methods=["POST"],
        operation_id="push",
        response_model=d.PushDocument,
        responses=_PUSH_ANSWERS,
        openapi_extra=_PUSH_TAKES,
    )
    return router


class AppointmentsApi:
    def __init__(self, parts: WebParts) -> None:
        self._parts = parts

    async def appointments(self) -> d.AppointmentsDocument:
        """Tell where appointments come from, how old their list is, and what is wrong with it."""
        state = self._parts.list_state()
        failed = await self._parts.read(lambda connection: read_failed_count(connection, self._parts.site.name))
        return d.AppointmentsDocument(
            source=state.source,
            as_of=None if state.as_of_ms is None else to_wire(state.as_of_ms),
            late=state.late,
            reason=state.reason,
            flaws=state.flaws,
            failed=failed,
        )

    async def reports(self) -> d.ReportsDocument:
        """The reports that the source of appointments refused."""
        site = self._parts.site.name
        total, reports = await self._parts.read(
            lambda connection: (read_failed_count(connection, site), read_failed_reports(connection, site))
        )
        return d.ReportsDocument(total=total, reports=tuple(map(_report, reports)))

    async def retry(
        self,
        request: Request,
        report: ReportId,
        asked: Annotated[d.RetryAsked, Body()] = d.RetryAsked(),  # noqa: B008
    ) -> Response:
        """Send a report that the source refused again."""
        origin = origin_of(request, Source.API, asked.id or self._parts.new_id())
        return answered(origin, await self._parts.do(RetryReport(origin=origin, report=report)), DoneAnswer)

    async def push(self, request: Request) -> Response:
        """Receive Publik's call that a request changed.

        The query carries the signature; Origin and cookies are not checked.
        """
        body = await request.body()
        # In the event loop, not in a thread: the store of nonces is not thread-safe.
        status, document = self._parts.push(request.scope["query_string"], body)
        return JSONResponse(document, status)


def _report(report: FailedReport) -> d.ReportDocument:
    return d.ReportDocument.model_validate(
        {
            "report": report.id,
            "booking": report.booking,
            "ticket": report.ticket,
            "number": report.number,
            "appointment_at": to_wire(report.appointment_ms),
            "kind": report.kind,
            "since": to_wire(report.at_ms),
            "attempts": report.attempts,
            "error": report.refusal.reason,
        }
    )
