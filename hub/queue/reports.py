"""What the source of a booking is told, from the journal. Pure: journal rows and what was told before come in.

| journal | is told | and takes back, if it was not sent yet |
| --- | --- | --- |
| check_in, arrived, readmit, start | arrived | absent |
| finish; end_day to served | served | |
| absent; end_day to absent | absent, once it is final | |
| cancel, but not by the source itself; end_day to cancelled | cancelled | |
| reopen | nothing | served |

Not told is an absence that says nothing of the visitor: nobody could check in here, since the hub learned of the
appointment when it had passed, or was off, or lost its time, when it passed; or the visitor came that day for the
booking that it was moved from.

What stands as told last is not told again, so that a visit which starts after its check-in arrives once; nor, of a
visit whose end was told and that goes on, its arrival and its end once more. What was sent can't be taken back: a
source that was told of an absence is told of the arrival after it. A try that is known to have failed is taken back
before the next one.
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
    """What has become of a report."""

    WAITING = "waiting"
    TRYING = "trying"  # sent perhaps: a crash or a time-out left it open
    DONE = "done"
    DROPPED = "dropped"  # no longer true before it was sent
    FAILED = "failed"  # for good: an agent must look


# Who did not come is marked within seconds by a hub that runs.
LATE_MOST_MS = MINUTE_MS

TO_SEND = frozenset({ReportState.WAITING, ReportState.TRYING})
# What the source surely did not take.
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
    """A journal row of a booking's ticket. `day_end_ms`: when the ticket's day ends, and with it what is open.

    `learned_ms`: when the hub learned of its appointment, or of the time to which it was moved; `counts_until_ms`:
    until when who has it may check in. `came_before`: its visitor came that day for the booking that was moved to this
    one.
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
    """A report that stands. `unsent`: the source did not take it, so it can be dropped."""

    id: int
    kind: ReportKind
    unsent: bool


@dataclass(frozen=True, slots=True)
class Report:
    """A new report: what to tell, of which journal row, and not before when."""

    happened: Happened
    kind: ReportKind
    due_ms: int


@dataclass(frozen=True, slots=True)
class Plan:
    """`new`: in the order of the journal. `dropped`: ids of reports that are no longer true and were not sent."""

    new: tuple[Report, ...]
    dropped: tuple[int, ...]


def plan(journal: Iterable[Happened], told: Mapping[int, Sequence[Standing]], absence_final_after_min: int) -> Plan:
    """`told`: by ticket, the reports that stand, in their order."""
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
    """Whether it stands as told last, or the end of the visit does: who was served had arrived, and is served once. An
    absence that was told since makes it another visit for the source.
    """
    if told and told[-1] is kind:
        return True
    ends = [each for each in told if each in (ReportKind.SERVED, ReportKind.ABSENT)]
    return kind in (ReportKind.ARRIVED, ReportKind.SERVED) and ends[-1:] == [ReportKind.SERVED]


def kind_of(happened: Happened) -> ReportKind | None:
    """What a journal row is for the source of the booking; None where it is none of its business."""
    if _says_nothing(happened) or (happened.event == Event.CANCEL and happened.source == Source.SYNC):
        return None
    return _kind_said(happened.event, happened.to_state)


def is_untrue(kind: ReportKind, since: Iterable[tuple[str, str | None]]) -> bool:
    """Whether a report is taken back by what has happened to its ticket since, and not made true again.

    `since`: event and new state of the ticket's journal rows after the report's, in their order.
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
    """An absence nobody saw: when the appointment ceased to count, the hub did not know of it, or did not look; or one
    of a visitor who had come already.
    """
    unseen = happened.from_state == State.EXPECTED and happened.to_state == State.ABSENT
    late_ms = happened.at_ms - happened.counts_until_ms
    learned_late = happened.learned_ms > happened.counts_until_ms
    return unseen and (learned_late or late_ms > LATE_MOST_MS or happened.came_before)


def _is_taken_back(report: Standing | Report, happened: Happened) -> bool:
    unsent = isinstance(report, Report) or report.unsent
    return unsent and report.kind is _TAKES_BACK.get(happened.event)


def _due_ms(happened: Happened, kind: ReportKind, absence_final_after_min: int) -> int:
    """At once; an absence when nobody can come any more, or so long after it that nobody is expected to."""
    if kind is not ReportKind.ABSENT or happened.event == Event.END_DAY:
        return happened.at_ms
    final_ms = happened.at_ms + absence_final_after_min * MINUTE_MS
    return max(happened.at_ms, min(final_ms, happened.day_end_ms))
