"""The documents of the API: what it takes and gives. Times are RFC 3339 in UTC with milliseconds."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from hub.queue.states import State
from protocol.messages import DeskMode, DeskOutcome

UUID7 = r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
RequestId = Annotated[
    str,
    StringConstraints(pattern=UUID7),
    Field(description="A UUIDv7, created once per gesture. The hub answers a repeated id with the first answer."),
]
Time = Annotated[str, Field(description="RFC 3339, UTC, milliseconds.", examples=["2026-11-24T09:41:07.250Z"])]
Revision = Annotated[
    tuple[int, int],
    Field(description="[generation, n]. A pair that is not greater than the last one seen is outdated."),
]
# The name of anything in the site file.
NAME = r"^[a-z0-9-]{1,64}$"
SiteName = Annotated[str, StringConstraints(pattern=NAME)]

EXAMPLE_ID = "019abcde-f012-7345-8678-9abcdef01234"
EXAMPLE_REVISION = [1795600000000, 4711]
EXAMPLE_AT = "2026-11-24T09:41:07.250Z"


class Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def example(**values: Any) -> ConfigDict:
    return ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [values]})


# --- asked ---------------------------------------------------------------------------------------------------------


class DeskAsked(Document):
    model_config = example(id=EXAMPLE_ID, shown=17)

    id: RequestId | None = None
    shown: Annotated[
        int | None,
        Field(
            description="Id of the ticket shown as held, null for none. The hub refuses if the desk holds another one."
        ),
    ] = None


class TicketAsked(Document):
    model_config = example(id=EXAMPLE_ID)

    id: RequestId | None = None


class CheckInAsked(Document):
    model_config = example(id=EXAMPLE_ID, priority=False)

    id: RequestId | None = None
    priority: bool = False


class TransferAsked(Document):
    """Either `service` or `to_desk`, never both."""

    model_config = example(id=EXAMPLE_ID, service="identite", confirmed=False)

    id: RequestId | None = None
    service: SiteName | None = None
    to_desk: SiteName | None = None
    confirmed: Annotated[bool, Field(description="Transfer even if no desk of that service is open.")] = False

    @model_validator(mode="after")
    def _leads_to_one(self) -> "TransferAsked":
        if self.service is not None and self.to_desk is not None:
            raise ValueError("give `service` or `to_desk`, not both")
        return self


class IssueAsked(Document):
    model_config = example(id=EXAMPLE_ID, service="etat-civil", priority=False)

    id: RequestId | None = None
    service: SiteName
    priority: bool = False


# --- answered ------------------------------------------------------------------------------------------------------


class DeskDone(Document):
    model_config = example(id=EXAMPLE_ID, outcome="called", ticket=18, number="A015")

    id: RequestId
    outcome: DeskOutcome
    ticket: int | None = None
    number: str | None = None


class TicketIssued(Document):
    model_config = example(
        id=EXAMPLE_ID,
        ticket=19,
        number="A016",
        service="etat-civil",
        code="k7m2p9",
        people_ahead=4,
        issued_at=EXAMPLE_AT,
        wait_min=[10, 30],
        appointment_at=None,
    )

    id: RequestId
    ticket: int
    number: str
    service: str
    code: str
    people_ahead: int
    issued_at: Time
    wait_min: tuple[int, int] | None = None
    appointment_at: Time | None = None


class TicketDone(Document):
    model_config = example(id=EXAMPLE_ID, count=1)

    id: RequestId
    count: int


class HeldDocument(Document):
    ticket: int
    number: str
    service: str
    state: State


class NextDocument(Document):
    """The ticket that is next. `why`: the reason in one word. `due_at`: the due time that made it next."""

    ticket: int
    number: str
    why: str
    due_at: Time


class QueueDocument(Document):
    service: str
    letter: str
    waiting: int


class AsideDocument(Document):
    ticket: int
    number: str
    since: Time


class DeskDocument(Document):
    """The whole state of a desk, without visitors' names. `agent`: the account signed on there."""

    model_config = example(
        revision=EXAMPLE_REVISION,
        at=EXAMPLE_AT,
        desk="guichet-3",
        number="3",
        hall="hall",
        mode="open",
        pausing=False,
        closing=False,
        agent="m.exemple",
        held={"ticket": 17, "number": "A012", "service": "etat-civil", "state": "called"},
        next={"ticket": 18, "number": "A015", "why": "appointment", "due_at": "2026-11-24T09:35:00.000Z"},
        queues=[{"service": "etat-civil", "letter": "A", "waiting": 5}],
        parked=[{"ticket": 12, "number": "A009", "since": "2026-11-24T09:33:00.000Z"}],
        absent=[],
    )

    revision: Revision
    at: Time
    desk: str
    number: str
    hall: str
    mode: DeskMode
    pausing: bool
    closing: bool
    agent: str | None
    held: HeldDocument | None
    next: NextDocument | None
    queues: tuple[QueueDocument, ...]
    parked: tuple[AsideDocument, ...]
    absent: tuple[AsideDocument, ...]


class DeskSummary(Document):
    desk: str
    number: str
    hall: str
    mode: DeskMode
    pausing: bool
    closing: bool
    held: str | None


class DesksDocument(Document):
    model_config = example(
        revision=EXAMPLE_REVISION,
        desks=[
            {
                "desk": "guichet-3",
                "number": "3",
                "hall": "hall",
                "mode": "open",
                "pausing": False,
                "closing": False,
                "held": "A012",
            }
        ],
    )

    revision: Revision
    desks: tuple[DeskSummary, ...]


class WaitingTicket(Document):
    ticket: int
    number: str
    arrived_at: Time | None
    appointment_at: Time | None
    due_at: Time
    bound_desk: str | None


class WaitingDocument(Document):
    """The first 50 waiting tickets by due time, and how many there are in all."""

    model_config = example(
        revision=EXAMPLE_REVISION,
        service="etat-civil",
        total=1,
        tickets=[
            {
                "ticket": 18,
                "number": "A015",
                "arrived_at": EXAMPLE_AT,
                "appointment_at": None,
                "due_at": "2026-11-24T10:01:07.250Z",
                "bound_desk": None,
            }
        ],
    )

    revision: Revision
    service: str
    total: int
    tickets: tuple[WaitingTicket, ...]


class JournalEntry(Document):
    id: int
    event: str
    from_state: State | None
    to_state: State | None
    at: Time
    source: str
    actor: str
    desk: str | None
    request: str | None
    picked: bool


class TicketDocument(Document):
    """One visit and its journal, oldest first."""

    model_config = example(
        ticket=17,
        number="A012",
        service="etat-civil",
        state="called",
        desk="guichet-3",
        priority=False,
        arrived_at=EXAMPLE_AT,
        appointment_at=None,
        due_at=EXAMPLE_AT,
        journal=[
            {
                "id": 4711,
                "event": "issue",
                "from_state": None,
                "to_state": "waiting",
                "at": EXAMPLE_AT,
                "source": "dispenser",
                "actor": "borne-1",
                "desk": None,
                "request": EXAMPLE_ID,
                "picked": False,
            }
        ],
    )

    ticket: int
    number: str | None
    service: str
    state: State
    desk: str | None
    priority: bool
    arrived_at: Time | None
    appointment_at: Time | None
    due_at: Time
    journal: tuple[JournalEntry, ...]


class HallDocument(Document):
    model_config = example(
        hall="hall", title="Hall d’accueil", waiting=[{"service": "famille", "letter": "F", "waiting": 2}]
    )

    hall: str
    title: str
    waiting: tuple[QueueDocument, ...]


class HallsDocument(Document):
    model_config = example(revision=EXAMPLE_REVISION, halls=[])

    revision: Revision
    halls: tuple[HallDocument, ...]


class ServiceDocument(Document):
    service: str
    letter: str
    title: str
    hall: str
    opens: str
    last_ticket: str
    closes: str
    open: Annotated[bool, Field(description="Whether the service issues tickets now.")]


class SiteDocument(Document):
    model_config = example(
        site="mairie",
        town="Ville exemple",
        zone="Europe/Paris",
        services=[
            {
                "service": "etat-civil",
                "letter": "A",
                "title": "État civil",
                "hall": "hall",
                "opens": "8:30",
                "last_ticket": "16:45",
                "closes": "17:00",
                "open": True,
            }
        ],
    )

    site: str
    town: str
    zone: str
    services: tuple[ServiceDocument, ...]


class HealthDocument(Document):
    model_config = example(status="ok", reasons={})

    status: Literal["ok", "unwell"]
    reasons: Annotated[dict[str, str], Field(description="What does not work, by part: database, broker, beat.")]


class ProblemDocument(BaseModel):
    """RFC 9457, application/problem+json. Each fact of a refusal is a member of the document: ticket, state, event …"""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:suivant:problem:transition_refused",
                    "title": "Conflict",
                    "status": 409,
                    "detail": "ticket A012 is served: start is not possible",
                    "code": "transition_refused",
                    "ticket": "A012",
                    "state": "served",
                    "event": "start",
                }
            ]
        },
    )

    type: str
    title: str
    status: int
    detail: str
    code: str
