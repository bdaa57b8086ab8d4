"""Requests from nodes: which node may send which, the command it becomes, and the reply."""

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from hub.metrics import BadReason
from hub.mqtt.quotas import TICKETS_MOST, TICKETS_WITHIN_MS, UNKNOWN_MOST, UNKNOWN_WITHIN_MS, Quota
from hub.mqtt.replies import reply_of
from hub.mqtt.senders import Senders
from hub.queue.answers import Answer, CheckInAnswer, TicketAnswer
from hub.queue.requests import (
    Abandon,
    ButtonMode,
    ButtonRecall,
    CheckInByCode,
    Command,
    Issue,
    NotePrinted,
    Origin,
    Press,
    Source,
    confirmation_code,
)
from hub.site import Node
from hub.site_index import SiteIndex
from hub.tasks import Task
from protocol import messages as wire
from protocol.link import Incoming, monotonic_ms
from protocol.messages import BadMessage, Parser, Role


class _OnlyId(msgspec.Struct):
    """The part of a malformed message that is needed to answer it."""

    id: wire.RequestId


_requests: Parser[wire.NodeRequest] = Parser(wire.NodeRequest)
_ids: Parser[_OnlyId] = Parser(_OnlyId)

_ROLE_OF_REQUEST: dict[type[Any], Role] = {
    wire.Press: Role.DESK_BUTTON,
    wire.Recall: Role.DESK_BUTTON,
    wire.Pause: Role.DESK_BUTTON,
    wire.Open: Role.DESK_BUTTON,
    wire.IssueTicket: Role.TICKET_PRINTER,
    wire.Printed: Role.TICKET_PRINTER,
    wire.Abandon: Role.TICKET_PRINTER,
    wire.CheckIn: Role.TICKET_PRINTER,
}
_SOURCE_OF_ROLE = {Role.DESK_BUTTON: Source.BUTTON, Role.TICKET_PRINTER: Source.DISPENSER}


class NodeRequests:
    """Turns requests into tasks, on the writer's thread. `reply` gets a node's name and the reply to send."""

    def __init__(
        self,
        index: SiteIndex,
        senders: Senders,
        new_code: Callable[[], str],
        reply: Callable[[str, wire.Reply], None],
    ) -> None:
        self._index = index
        self._senders = senders
        self._new_code = new_code
        self._reply = reply
        self._guesses = Quota(UNKNOWN_MOST, UNKNOWN_WITHIN_MS)
        self._tickets = Quota(TICKETS_MOST, TICKETS_WITHIN_MS)

    def task(self, event: Incoming) -> Task | None:
        """The task for a message; None if the message was answered or logged here."""
        node = self._senders.sender_of(event)
        if node is None:
            return None
        try:
            request = _requests.parse(event.payload)
        except BadMessage as error:
            self._refuse_unread(node, event, error)
            return None
        if _ROLE_OF_REQUEST[type(request)] is not node.role:
            why = f"a {node.role} does not send {type(request).__name__}"
            self._senders.refuse(BadReason.WRONG_ROLE, event.topic, why)
            self._reply(
                node.name, wire.Refused(id=request.id, code="wrong_role", detail=f"{node.name} is a {node.role}")
            )
            return None
        if isinstance(request, wire.IssueTicket) and self._index.hall_of(request.service) is None:
            self._senders.refuse(BadReason.UNKNOWN_SERVICE, event.topic, f"service {request.service!r}")
        if isinstance(request, wire.CheckIn) and not self._guesses.may_ask(node.name, request.id, monotonic_ms()):
            why = f"{UNKNOWN_MOST} codes of nobody in {UNKNOWN_WITHIN_MS // 60_000} min"
            self._senders.refuse(BadReason.GUESSING, event.topic, why)
            self._reply(node.name, wire.Refused(id=request.id, code="too_many_codes", detail="wait some minutes"))
            return None
        if isinstance(request, wire.IssueTicket) and not self._tickets.may_ask(node.name, request.id, monotonic_ms()):
            why = f"{TICKETS_MOST} tickets in {TICKETS_WITHIN_MS // 1000} s"
            self._senders.refuse(BadReason.TOO_MANY, event.topic, why)
            self._reply(node.name, wire.Refused(id=request.id, code="too_many_tickets", detail="wait a minute"))
            return None
        command = self._command(node, request)
        return Task(
            command,
            answered=partial(self._answer, node, request.id),
            # No reply: the node repeats its request, which is then either done or answered with the first answer.
            failed=lambda _: self._forget(node, request.id),
            since_s=event.arrived_ms / 1000,
        )

    def _command(self, node: Node, request: wire.NodeRequest) -> Command:  # noqa: PLR0911 - one for each kind of request
        origin = Origin(_SOURCE_OF_ROLE[node.role], node.name, request.id)
        desk = node.desk or ""
        match request:
            case wire.Press():
                return Press(origin=origin, desk=desk, at_ms=request.at_ms)
            case wire.Recall():
                return ButtonRecall(origin=origin, desk=desk, at_ms=request.at_ms)
            case wire.Pause():
                return ButtonMode(origin=origin, desk=desk, at_ms=request.at_ms, mode=wire.DeskMode.PAUSED)
            case wire.Open():
                return ButtonMode(origin=origin, desk=desk, at_ms=request.at_ms, mode=wire.DeskMode.OPEN)
            case wire.IssueTicket():
                return Issue(origin=origin, service=request.service, priority=request.priority, code=self._new_code())
            case wire.Printed():
                return NotePrinted(origin=origin, of=request.of, sure=request.sure)
            case wire.Abandon():
                return Abandon(origin=origin, of=request.of)
            case wire.CheckIn():
                return CheckInByCode(
                    origin=origin,
                    confirmation=confirmation_code(request.code),
                    hall=self._index.site.hall_of_node(node),
                    priority=request.priority,
                )

    def _answer(self, node: Node, request: str, answer: Answer) -> None:
        # Any other answer, even a refusal, means that the code belongs to somebody.
        if not (isinstance(answer, CheckInAnswer) and answer.arrival is wire.Arrival.UNKNOWN):
            self._guesses.clear(node.name, request)
        if not isinstance(answer, TicketAnswer):
            self._tickets.clear(node.name, request)
        self._reply(node.name, reply_of(self._index, self._index.site.hall_of_node(node), request, answer))

    def _forget(self, node: Node, request: str) -> None:
        self._guesses.clear(node.name, request)
        self._tickets.clear(node.name, request)

    def _refuse_unread(self, node: Node, event: Incoming, error: BadMessage) -> None:
        self._senders.refuse_unread(event, error)
        try:
            request = _ids.parse(event.payload).id
        except BadMessage:
            return
        self._reply(node.name, wire.Refused(id=request, code="bad_message", detail=str(error)[:200]))
