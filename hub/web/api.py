"""The HTTP API under /api/v1: a table of addresses to commands, and short reads."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, Body, FastAPI, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from hub.follow_codes import follow_code
from hub.metrics import CONTENT_TYPE
from hub.queue.answers import Answer, DeskAnswer, DoneAnswer, RefusedAnswer, TicketAnswer
from hub.queue.hours import issues_tickets
from hub.queue.requests import Issue, Origin, Source
from hub.queue.tickets import Ticket
from hub.site import Service
from hub.site_index import SiteIndex
from hub.web import documents as d
from hub.web import problems
from hub.web.actions import DESK_ACTIONS, TICKET_ACTIONS, Action, Asked
from hub.web.addresses import DeskName, TicketId, desk_named
from hub.web.asking import origin_of
from hub.web.desk.booking_reading import SHOWN
from hub.web.desk.document import desk_document
from hub.web.desk.drawing import draw
from hub.web.desk.reading import (
    read_counts,
    read_desk,
    read_desks,
    read_held,
    read_journal,
    read_revision,
    read_ticket,
    read_waiting,
)
from hub.web.parts import WebParts
from protocol.instants import to_wire

Handler = Callable[..., Awaitable[Any]]
Gives = type[DeskAnswer] | type[DoneAnswer] | type[TicketAnswer]
T = TypeVar("T")

# A reference instead of a model: FastAPI would describe a model as application/json, and build it for each route.
_PROBLEM = {"schema": {"$ref": f"#/components/schemas/{d.ProblemDocument.__name__}"}}
_PROBLEMS_OF_ALL = {
    400: "Both a session cookie and a token were sent, or the `Authorization` header is malformed",
    401: "Neither a valid session nor a valid token was sent",
    403: "The sender lacks the role, the ticket is not this desk's, or the request does not come from the hub's pages",
    404: "The site has no such desk, ticket, service or report",
    422: "The request is not valid",
    503: "The hub is too busy, or its database is away",
}
_PROBLEMS_OF_COMMANDS = {
    408: "The body did not arrive within 10 s",
    409: "The state of the ticket or of the desk does not allow it, or the id was used for another request",
    410: "Too late: the click is too old, the time to undo it is over, or the ticket's day has ended",
    411: "The request has no `Content-Length`",
    413: "The body is longer than 64 KiB",
}


def _described(problems_of: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    return {
        status: {"description": why, "content": {problems.MEDIA_TYPE: _PROBLEM}} for status, why in problems_of.items()
    }


PROBLEMS = _described(_PROBLEMS_OF_ALL)
PROBLEMS_OF_COMMANDS = _described(_PROBLEMS_OF_ALL | _PROBLEMS_OF_COMMANDS)
_ASKED_OF_TICKET: dict[str, type[d.Document]] = {"check-in": d.CheckInAsked, "transfer": d.TransferAsked}


def add_api(app: FastAPI, parts: WebParts) -> None:
    router = APIRouter(prefix="/api/v1")
    api = app.state.api = Api(parts)
    _add(router, "/tickets", api.issue, "issue", "Issue a ticket for a service.", d.TicketIssued, status=201)
    for path, handler, model in (
        ("/site", api.site, d.SiteDocument),
        ("/halls", api.halls, d.HallsDocument),
        ("/desks", api.desks, d.DesksDocument),
        ("/desks/{desk}", api.desk, d.DeskDocument),
        ("/tickets/waiting", api.waiting, d.WaitingDocument),
        ("/tickets/{ticket}", api.ticket, d.TicketDocument),
    ):
        router.add_api_route(path, handler, response_model=model, responses=PROBLEMS)
    app.router.routes += [*_COMMANDS.routes, *router.routes]


def create_watch(parts: WebParts) -> APIRouter:
    """The addresses for monitoring."""
    router = APIRouter()

    async def healthz() -> Response:
        """Tell whether database, broker and heartbeat work; a 503 says which does not, and why."""
        reasons = (await run_in_threadpool(parts.health)).reasons
        return JSONResponse({"status": "unwell" if reasons else "ok", "reasons": reasons}, 503 if reasons else 200)

    def metrics() -> Response:
        """The hub's metrics, in the text format of Prometheus."""
        return Response(parts.metrics(), media_type=CONTENT_TYPE)

    unwell: dict[int | str, dict[str, Any]] = {
        503: {"model": d.HealthDocument, "description": "Something does not work"}
    }
    router.add_api_route("/healthz", healthz, response_model=d.HealthDocument, responses=unwell)
    router.add_api_route("/healthz", healthz, methods=["HEAD"], include_in_schema=False)
    router.add_api_route("/metrics", metrics, response_class=Response, responses=PROBLEMS)
    return router


class Api:
    """The handlers; each reads once or asks one command, then answers."""

    def __init__(self, parts: WebParts) -> None:
        self._parts = parts
        self._index = SiteIndex(parts.site)

    # --- commands -------------------------------------------------------------------------------------------------

    async def to_desk(self, request: Request, action: Action, desk: str, asked: d.DeskAsked) -> Response:
        """A command of the desk itself."""
        origin = self._origin(request, asked.id, action)
        answer = await self._parts.do(action.command(Asked(origin, desk, shown=asked.shown)))
        return answered(origin, answer, DeskAnswer)

    async def to_ticket(
        self, request: Request, action: Action, desk: str, ticket: int, asked: d.Document | None, gives: Gives
    ) -> Response:
        """A command to one ticket."""
        given = asked.model_dump() if asked is not None else {}
        origin = self._origin(request, given.pop("id", None), action)
        answer = await self._parts.do(action.command(Asked(origin, desk, ticket, **given)))
        return answered(origin, answer, gives)

    async def issue(self, request: Request, asked: d.IssueAsked) -> Response:
        origin = self._origin(request, asked.id)
        code = follow_code()
        answer = await self._parts.do(Issue(origin=origin, service=asked.service, code=code, priority=asked.priority))
        return answered(origin, answer, TicketAnswer, created=True)

    def _origin(self, request: Request, request_id: str | None, action: Action | None = None) -> Origin:
        return origin_of(request, Source.API, request_id or self._parts.new_id(), action)

    # --- reads ----------------------------------------------------------------------------------------------------

    async def site(self) -> d.SiteDocument:
        """The site and its services."""
        site, now_ms = self._parts.site, self._parts.now_ms()
        services = tuple(_service(service, issues_tickets(service, now_ms, site.zone)) for service in site.services)
        return d.SiteDocument(site=site.name, town=site.town, zone=site.zone, services=services)

    async def halls(self) -> d.HallsDocument:
        """Every hall, and how many people wait in it."""
        site = self._parts.site
        revision, counts = await self._parts.read(
            lambda connection: (read_revision(connection, site.name), read_counts(connection, site.name))
        )
        halls = tuple(
            d.HallDocument(
                hall=hall.name,
                title=hall.title,
                waiting=tuple(
                    d.QueueDocument(service=each.name, letter=each.letter, waiting=counts.get(each.name, 0))
                    for each in site.services
                    if each.hall == hall.name
                ),
            )
            for hall in site.halls
        )
        return d.HallsDocument(revision=revision, halls=halls)

    async def desks(self) -> d.DesksDocument:
        """Every desk, in the order of the site's configuration."""
        site = self._parts.site.name
        revision, now, held = await self._parts.read(
            lambda connection: (
                read_revision(connection, site),
                read_desks(connection, self._index),
                read_held(connection, site),
            )
        )
        desks = tuple(
            d.DeskSummary(
                desk=desk.name,
                number=desk.number,
                hall=desk.hall,
                mode=now[desk.name].mode,
                pausing=now[desk.name].pausing,
                closing=now[desk.name].closing,
                held=held[desk.name].label if desk.name in held else None,
            )
            for desk in self._parts.site.desks
        )
        return d.DesksDocument(revision=revision, desks=desks)

    async def desk(self, desk: DeskName) -> d.DeskDocument:
        """The whole state of one desk."""
        configured = desk_named(self._index, desk)
        now_ms = self._parts.now_ms()
        rows = await self._parts.read(lambda connection: read_desk(connection, self._index, configured, now_ms))
        picture = draw(rows, self._index, configured, self._parts.mean_visit_ms, self._parts.list_state())
        return desk_document(picture, configured)

    async def waiting(self, service: Annotated[d.SiteName, Query()]) -> d.WaitingDocument:
        """Who waits for a service: the first 50 by due time, and how many there are."""
        if all(each.name != service for each in self._parts.site.services):
            raise problems.NoSuch("service", service)
        site = self._parts.site.name
        revision, counts, tickets = await self._parts.read(
            lambda connection: (
                read_revision(connection, site),
                read_counts(connection, site),
                read_waiting(connection, site, service),
            )
        )
        return d.WaitingDocument(
            revision=revision,
            service=service,
            total=counts.get(service, 0),
            tickets=tuple(_waiting(ticket) for ticket in tickets[:SHOWN]),
        )

    async def ticket(self, ticket: TicketId) -> d.TicketDocument:
        """One visit, with its journal."""
        site = self._parts.site.name
        found, journal = await self._parts.read(
            lambda connection: (read_ticket(connection, site, ticket), read_journal(connection, site, ticket))
        )
        if found is None:
            raise problems.NoSuch("ticket", str(ticket))
        return d.TicketDocument(
            ticket=found.id,
            number=found.label if found.number else None,
            service=found.service,
            state=found.state,
            desk=found.desk,
            priority=found.priority,
            arrived_at=_time(found.issued_ms),
            appointment_at=_time(found.appointment_ms),
            due_at=to_wire(found.due_ms),
            journal=tuple(_entry(row) for row in journal),
        )


def _add(
    router: APIRouter, path: str, handler: Handler, name: str, says: str, model: Any, *, status: int = 200
) -> None:
    router.add_api_route(
        path,
        handler,
        methods=["POST"],
        name=name,
        operation_id=name,
        description=says,
        response_model=model,
        status_code=status,
        responses=PROBLEMS_OF_COMMANDS,
    )


def _desk_command(action: Action) -> Handler:
    async def handle(
        request: Request,
        desk: DeskName,
        asked: Annotated[d.DeskAsked, Body()] = d.DeskAsked(),  # noqa: B008
    ) -> Response:
        api: Api = request.app.state.api
        return await api.to_desk(request, action, desk, asked)

    return handle


def _ticket_command(action: Action, model: type[d.Document], gives: Gives) -> Handler:
    async def handle(request: Request, desk: DeskName, ticket: TicketId, asked: Any = None) -> Response:
        api: Api = request.app.state.api
        return await api.to_ticket(request, action, desk, ticket, asked, gives)

    handle.__annotations__["asked"] = Annotated[model | None, Body()]
    return handle


def _commands() -> APIRouter:
    """One route for each action at a desk."""
    router = APIRouter(prefix="/api/v1")
    for word, action in DESK_ACTIONS.items():
        name = f"desk_{word.replace('-', '_')}"
        _add(router, f"/desks/{{desk}}/{word}", _desk_command(action), name, action.says, d.DeskDone)
    for word, action in TICKET_ACTIONS.items():
        is_check_in = word == "check-in"
        gives = TicketAnswer if is_check_in else DeskAnswer
        handler = _ticket_command(action, _ASKED_OF_TICKET.get(word, d.TicketAsked), gives)
        name = f"ticket_{word.replace('-', '_')}"
        document = d.TicketIssued if is_check_in else d.DeskDone
        _add(router, f"/desks/{{desk}}/tickets/{{ticket}}/{word}", handler, name, action.says, document)
    return router


# Once for all applications: FastAPI takes milliseconds to analyse each route, and tests make hundreds of applications.
_COMMANDS = _commands()


def answered(origin: Origin, answer: Answer, gives: Gives, *, created: bool = False) -> Response:
    """Turn an answer into a response. It is built by hand, so that no call waits for a second validation.

    `gives`: the type of answer that the command gives. An answer of another type means that the id was used before,
    for another request.
    """
    if isinstance(answer, RefusedAnswer):
        return problems.of_refusal(answer)
    if not isinstance(answer, gives):
        return problems.problem(
            409, "id_used", "this id was used for another request: create a new one for each gesture"
        )
    match answer:
        case DeskAnswer(outcome=outcome, ticket=ticket, number=number):
            return JSONResponse({"id": origin.request, "outcome": outcome, "ticket": ticket, "number": number})
        case DoneAnswer(count=count):
            return JSONResponse({"id": origin.request, "count": count})
        case TicketAnswer():
            return JSONResponse(_issued(origin, answer), 201 if created else 200)


def _issued(origin: Origin, answer: TicketAnswer) -> dict[str, Any]:
    return {
        "id": origin.request,
        "ticket": answer.ticket,
        "number": answer.number,
        "service": answer.service,
        "code": answer.code,
        "people_ahead": answer.people_ahead,
        "issued_at": to_wire(answer.issued_ms),
        "wait_min": answer.wait_min,
        "appointment_at": _time(answer.appointment_ms),
    }


def _service(service: Service, is_open: bool) -> d.ServiceDocument:
    return d.ServiceDocument(
        service=service.name,
        letter=service.letter,
        title=service.title,
        hall=service.hall,
        opens=service.opens,
        last_ticket=service.last_ticket,
        closes=service.closes,
        open=is_open,
    )


def _waiting(ticket: Ticket) -> d.WaitingTicket:
    return d.WaitingTicket(
        ticket=ticket.id,
        number=ticket.label,
        arrived_at=_time(ticket.issued_ms),
        appointment_at=_time(ticket.appointment_ms),
        due_at=to_wire(ticket.due_ms),
        bound_desk=ticket.bound_desk,
    )


def _entry(row: dict[str, Any]) -> d.JournalEntry:
    kept = {name: row[name] for name in ("id", "event", "from_state", "to_state", "source", "actor", "desk", "request")}
    picked = msgspec.json.decode(row["data"]).get("picked", False)
    return d.JournalEntry(at=to_wire(row["at_ms"]), picked=picked, **kept)


def _time(moment_ms: int | None) -> str | None:
    return None if moment_ms is None else to_wire(moment_ms)
