"""The life of a ticket, as a table of transitions. A transition that is not in it is refused."""

from enum import StrEnum


class State(StrEnum):
    EXPECTED = "expected"
    WAITING = "waiting"
    CALLED = "called"
    SERVING = "serving"
    PARKED = "parked"
    SERVED = "served"
    ABSENT = "absent"
    CANCELLED = "cancelled"


class Event(StrEnum):
    ISSUE = "issue"
    BOOK = "book"
    MOVE = "move"
    CHECK_IN = "check_in"
    ADMIT = "admit"
    CALL = "call"
    RECALL = "recall"
    START = "start"
    WITHDRAW = "withdraw"
    ABSENT = "absent"
    FINISH = "finish"
    TRANSFER = "transfer"
    DEFER = "defer"
    RELEASE = "release"  # its desk closed, so the ticket is no longer bound to it
    PARK = "park"
    RESUME = "resume"
    READMIT = "readmit"
    REOPEN = "reopen"
    CANCEL = "cancel"
    END_DAY = "end_day"


HELD = frozenset({State.CALLED, State.SERVING})
OPEN = frozenset({State.EXPECTED, State.WAITING, State.CALLED, State.SERVING, State.PARKED})

_S, _E = State, Event

# (from, event) -> the states it may lead to. If there are several, a fact decides: whether the desk confirms arrivals,
# whether the ticket was parked before it was called, or the state it was finished from.
TRANSITIONS: dict[tuple[State | None, Event], frozenset[State]] = {
    (from_state, event): frozenset(targets)
    for from_state, event, *targets in (
        (None, _E.ISSUE, _S.WAITING),
        (None, _E.BOOK, _S.EXPECTED),
        (_S.EXPECTED, _E.MOVE, _S.EXPECTED),
        (_S.EXPECTED, _E.CHECK_IN, _S.WAITING),
        (_S.EXPECTED, _E.ADMIT, _S.WAITING),
        (_S.EXPECTED, _E.ABSENT, _S.ABSENT),
        (_S.EXPECTED, _E.CANCEL, _S.CANCELLED),
        (_S.EXPECTED, _E.END_DAY, _S.ABSENT),
        (_S.WAITING, _E.CALL, _S.CALLED),
        (_S.WAITING, _E.TRANSFER, _S.WAITING),
        (_S.WAITING, _E.DEFER, _S.WAITING),
        (_S.WAITING, _E.RELEASE, _S.WAITING),
        (_S.WAITING, _E.CANCEL, _S.CANCELLED),
        (_S.WAITING, _E.END_DAY, _S.CANCELLED),
        (_S.CALLED, _E.RECALL, _S.CALLED),
        (_S.CALLED, _E.START, _S.SERVING),
        (_S.CALLED, _E.WITHDRAW, _S.WAITING, _S.PARKED),
        (_S.CALLED, _E.ABSENT, _S.ABSENT),
        (_S.CALLED, _E.FINISH, _S.SERVED),
        (_S.CALLED, _E.TRANSFER, _S.WAITING),
        (_S.CALLED, _E.PARK, _S.PARKED),
        (_S.CALLED, _E.END_DAY, _S.ABSENT, _S.SERVED),
        (_S.SERVING, _E.FINISH, _S.SERVED),
        (_S.SERVING, _E.TRANSFER, _S.WAITING),
        (_S.SERVING, _E.PARK, _S.PARKED),
        (_S.SERVING, _E.END_DAY, _S.SERVED),
        (_S.PARKED, _E.RESUME, _S.CALLED),
        (_S.PARKED, _E.FINISH, _S.SERVED),
        (_S.PARKED, _E.TRANSFER, _S.WAITING),
        (_S.PARKED, _E.END_DAY, _S.SERVED),
        (_S.ABSENT, _E.READMIT, _S.WAITING),
        (_S.ABSENT, _E.START, _S.SERVING),
        (_S.SERVED, _E.REOPEN, _S.CALLED, _S.SERVING, _S.PARKED),
    )
}


def may(state: State | None, event: Event) -> bool:
    """Whether `event` is allowed for a ticket in `state`."""
    return (state, event) in TRANSITIONS
