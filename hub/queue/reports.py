"""What the source of a booking is told, from the journal. Pure: journal rows and earlier reports are arguments.

| journal | is told | drops, if not sent yet |
| --- | --- | --- |
| check_in, arrived, readmit, start | arrived | absent |
| finish; end_day to served | served | |
| absent; end_day to absent | absent, once it is final | |
| cancel, but not by the source itself; end_day to cancelled | cancelled | |
| reopen | nothing | served |

The absence of an expected ticket is not told if it says nothing about the visitor:

- the hub learned of the appointment after it ceased to count;
- the hub marked the absence late, because it was off or its clock was wrong when the appointment ceased to count;
- the visitor came that day for the booking from which this one was moved.

Nor is the absence of a called ticket, if the hub was off when its day ended: nobody could confirm the arrival.

The last report told is not repeated: a visit that starts after its check-in is told as arrived once. Once the end of a
visit was told, its arrival and end are not told again if it goes on. A report that was sent can't be taken back: a
source that was told of an absence is told of the arrival after it. A report whose try is known to have failed may be
dropped before the next try.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hub.queue.requests import Source
from hub.queue.states import Event, State
from hub.site import MINUTE_MS


class ReportKind(StrEnum):
    """What a source is told of a booking."""

    ARRIVED = "arrived"
    SERVED = "served"
    ABSENT = "absent"
    CANCELLED = "cancelled"


class ReportState(StrEnum):
    """The state of a report."""

    WAITING = "waiting"
    TRYING = "trying"  # perhaps sent: unknown after a crash or a time-out
    DONE = "done"
    DROPPED = "dropped"  # no longer true before it was sent
    FAILED = "failed"  # for good: an agent must look at it


# A running hub marks an absence within seconds. One marked later than this says nothing about the visitor.
LATE_MOST_MS = MINUTE_MS

TO_SEND = frozenset({ReportState.WAITING, ReportState.TRYING})
# The source certainly did not accept these.
UNSENT = frozenset({ReportState.WAITING, ReportState.FAILED})

# A journal row without a transition: an admitted visitor says at the dispenser that they are here.
ARRIVED = "arrived"

_KIND_OF_EVENT: dict[str, ReportKind] = {
    Event.CHECK_IN: ReportKind.ARRIVED,
    ARRIVED: ReportKind.ARRIVED,
    Event.READMIT: ReportKind.ARRIVED,
    Event.START: ReportKind.ARRIVED,
    Event.FINISH: ReportKind.SERVED,
    Event.ABSENT: ReportKind.ABSENT,
    Event.CANCEL: ReportKind.CANCELLED,
}
_KIND_OF_END: dict[str, ReportKind] = {
    State.SERVED: ReportKind.SERVED,
    State.ABSENT: ReportKind.ABSENT,
    State.CANCELLED: ReportKind.CANCELLED,
}
_TAKES_BACK: dict[str, ReportKind] = {
    Event.CHECK_IN: ReportKind.ABSENT,
    ARRIVED: ReportKind.ABSENT,
    Event.READMIT: ReportKind.ABSENT,
    Event.START: ReportKind.ABSENT,
    Event.REOPEN: ReportKind.SERVED,
}


@dataclass(frozen=True, slots=True)
class Happened:
    """A journal row of a booking's ticket.

    `day_end_ms`: when the ticket's day ends. `learned_ms`: when the hub learned of the appointment, or of its new time.
    `counts_until_ms`: the time until which the appointment counts. `came_before`: the visitor came that day for the
    booking that was moved to this one.
    """

    id: int
    event: str
    from_state: str | None
    to_state: str | None
    at_ms: int
    source: str
    booking: str
    reference: str
    ticket: int
    day_end_ms: int
    learned_ms: int
    counts_until_ms: int
    came_before: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """A report that was not dropped. `unsent`: the source did not accept it, so it can be dropped."""

    id: int
    kind: ReportKind
    unsent: bool


@dataclass(frozen=True, slots=True)
class Report:
    """A new report: the journal row, what to tell about it, and the earliest time to send it."""

    happened: Happened
    kind: ReportKind
    due_ms: int


@dataclass(frozen=True, slots=True)
class Plan:
    """`new`: in journal order. `dropped`: ids of reports that are no longer true and were not sent."""

    new: tuple[Report, ...]
    dropped: tuple[int, ...]


def plan(journal: Iterable[Happened], told: Mapping[int, Sequence[Standing]], absence_final_after_min: int) -> Plan:
    """Plan the reports from the next journal rows. `told`: the standing reports by ticket id, oldest first."""
    reports: dict[int, list[Standing | Report]] = {ticket: list(standing) for ticket, standing in told.items()}
    dropped: list[int] = []
    for happened in journal:
        of_ticket = reports.setdefault(happened.ticket, [])
        untrue = [each for each in of_ticket if _is_taken_back(each, happened)]
        dropped += [each.id for each in untrue if isinstance(each, Standing)]
        of_ticket[:] = [each for each in of_ticket if each not in untrue]
        kind = kind_of(happened)
        if kind is not None and not _is_told(kind, [each.kind for each in of_ticket]):
            of_ticket.append(Report(happened, kind, _due_ms(happened, kind, absence_final_after_min)))
    new = [each for of_ticket in reports.values() for each in of_ticket if isinstance(each, Report)]
    return Plan(tuple(sorted(new, key=lambda each: each.happened.id)), tuple(dropped))


def _is_told(kind: ReportKind, told: Sequence[ReportKind]) -> bool:
    """Whether a report need not be told: it was told last, or the end of the visit was told.

    Served implies arrived, and is told once. For the source, an absence told after it begins another visit.
    """
    if told and told[-1] is kind:
        return True
    ends = [each for each in told if each in (ReportKind.SERVED, ReportKind.ABSENT)]
    return kind in (ReportKind.ARRIVED, ReportKind.SERVED) and ends[-1:] == [ReportKind.SERVED]


def kind_of(happened: Happened) -> ReportKind | None:
    """What a journal row means for the source of the booking; None if it need not be told."""
    if _says_nothing(happened) or (happened.event == Event.CANCEL and happened.source == Source.SYNC):
        return None
    return _kind_said(happened.event, happened.to_state)


def is_untrue(kind: ReportKind, since: Iterable[tuple[str, str | None]]) -> bool:
    """Whether later events of the ticket made a report untrue, and none made it true again.

    `since`: event and new state of the ticket's journal rows after the report's, oldest first.
    """
    untrue = False
    for event, to_state in since:
        if _TAKES_BACK.get(event) is kind:
            untrue = True
        elif _kind_said(event, to_state) is kind:
            untrue = False
    return untrue


def _kind_said(event: str, to_state: str | None) -> ReportKind | None:
    return _KIND_OF_END.get(to_state or "") if event == Event.END_DAY else _KIND_OF_EVENT.get(event)


def _says_nothing(happened: Happened) -> bool:
    """Whether it is an absence that says nothing about the visitor (see the module's docstring)."""
    if happened.to_state != State.ABSENT:
        return False
    if happened.from_state == State.EXPECTED:
        late_ms = happened.at_ms - happened.counts_until_ms
        learned_late = happened.learned_ms > happened.counts_until_ms
        return learned_late or late_ms > LATE_MOST_MS or happened.came_before
    return happened.event == Event.END_DAY and happened.at_ms - happened.day_end_ms > LATE_MOST_MS


def _is_taken_back(report: Standing | Report, happened: Happened) -> bool:
    unsent = isinstance(report, Report) or report.unsent
    return unsent and report.kind is _TAKES_BACK.get(happened.event)


def _due_ms(happened: Happened, kind: ReportKind, absence_final_after_min: int) -> int:
    """When to tell: at once; an absence after `absence_final_after_min`, but at the end of the day at the latest."""
    if kind is not ReportKind.ABSENT or happened.event == Event.END_DAY:
        return happened.at_ms
    final_ms = happened.at_ms + absence_final_after_min * MINUTE_MS
    return max(happened.at_ms, min(final_ms, happened.day_end_ms))
