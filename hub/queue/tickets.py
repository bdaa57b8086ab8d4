"""A ticket as plain data, and its number as text."""

from typing import Any

from msgspec import Struct

from hub.queue.order import Kind
from hub.queue.states import State


class Ticket(Struct, frozen=True, kw_only=True):
    """One visit. Times in ms since 1970 UTC; `day`: local date of its appointment, else of its issue.

    `series`, `number`: given when it starts to wait. `desk`: the desk that holds it, parked it, or called or served it
    last. `bound_desk`: the only desk it waits for. `call`: the journal row of its latest call. `called_ms`: when it was
    last called. `said_ms`: planned end of its latest announcement, from which the absence delay runs. `absent_at_ms`:
    when a job marks it absent. `ended_from`: the state it was in before it was finished or its day ended. `end_known`:
    False if the time of its end is unknown, so that figures leave it out.
    """

    id: int
    day: str
    service: str
    series: str | None = None
    number: int | None = None
    state: State
    kind: Kind
    due_ms: int
    priority: bool = False
    code: str
    issued_ms: int | None = None
    appointment_ms: int | None = None
    booking: str | None = None
    booking_note: str | None = None
    request: str | None = None
    bound_desk: str | None = None
    desk: str | None = None
    call: int | None = None
    called_ms: int | None = None
    said_ms: int | None = None
    absent_at_ms: int | None = None
    serving_ms: int | None = None
    ended_ms: int | None = None
    ended_from: State | None = None
    end_known: bool = True

    @property
    def label(self) -> str:
        """Its number, `A012`; before it has one, the start of its code, with which pages name it."""
        return number_text(self.series, self.number) if self.series and self.number else self.code[:4]

    def day_to_wait_on(self, today: str) -> str:
        """The day of its number; today if it has none yet."""
        return today if self.number is None else self.day


FIELDS = Ticket.__struct_fields__


def from_row(row: Any) -> Ticket:
    """A ticket from its columns in the order of `FIELDS`."""
    values = dict(zip(FIELDS, row, strict=True))
    values["state"] = State(values["state"])
    values["kind"] = Kind(values["kind"])
    values["ended_from"] = State(values["ended_from"]) if values["ended_from"] else None
    values["priority"] = bool(values["priority"])
    values["end_known"] = bool(values["end_known"])
    return Ticket(**values)


def number_text(series: str, number: int) -> str:
    """`A012`: the letter and at least three digits."""
    return f"{series}{number:03d}"
