"""Why this ticket: the sentence names the rule that chose it, whatever else waits."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hub.appointments.list_state import ListState
from hub.database.engine import open_engine
from hub.queue.order import STRICT_HEAD_START_MS, Candidate, Kind, choose
from hub.queue.reasons import Reason, Waiting, Why, explain, in_order
from hub.queue.requests import CheckIn
from hub.site import MINUTE_MS, Help, Site
from hub.web.desk.drawing import draw
from hub.web.desk.reading import read_desk
from hub.web.desk.sentences import reason_sentence, then_sentence
from tests.databases import sqlite_url
from tests.queue.harness import DESKS, Queue, town
from tests.web.stand import MORNING_MS

NOW_MS = MORNING_MS + 132 * MINUTE_MS  # 10:42
EARLY_MS = 10 * MINUTE_MS


def waiting(
    ticket: int, kind: Kind, due_min: int, *, helping_min: int = 0, strict: bool = False, **facts: bool
) -> Waiting:
    """A waiting ticket. `due_min`: minutes from 10:42."""
    due_ms = NOW_MS + due_min * MINUTE_MS
    handicap_ms = helping_min * MINUTE_MS - (STRICT_HEAD_START_MS if strict else 0)
    candidate = Candidate(ticket, "civil", kind, due_ms, handicap_ms, EARLY_MS)
    appointment_ms = due_ms if kind is Kind.TIMED else None
    return Waiting(candidate, f"A{ticket:03}", due_ms - 20 * MINUTE_MS, appointment_ms, strict=strict, **facts)


NBSP = "\u00a0"
CASES = {
    Why.APPOINTMENT: (
        [waiting(15, Kind.TIMED, -7), waiting(32, Kind.OPEN, -26, helping_min=20)],
        "Son rendez-vous de 10:35 est l’échéance la plus proche. Ensuite vient A_032, à 10:36.",
    ),
    Why.WALK_IN: (
        [waiting(13, Kind.OPEN, 3), waiting(14, Kind.OPEN, 5)],
        "Arrivé à 10:25, son échéance de 10:45 est la plus proche. Ensuite vient A_014, à 10:47.",
    ),
    Why.PRIORITY: (
        [waiting(13, Kind.OPEN, -57, priority=True)],
        (
            "Avec sa priorité, son échéance de 9:45 est la plus proche."
            " Personne d’autre ne peut être appelé pour l’instant."
        ),
    ),
    Why.HELPING: (
        [waiting(32, Kind.OPEN, -26, helping_min=20), waiting(13, Kind.OPEN, 3)],
        (
            "Même avec le délai de renfort de 20_min, son échéance de 10:36 est la plus proche."
            " Ensuite vient A_013, à 10:45."
        ),
    ),
    Why.BOUND: (
        [waiting(12, Kind.OPEN, -17, bound=True)],
        (
            "Il attend ce guichet précis, et son échéance de 10:25 est la plus proche."
            " Personne d’autre ne peut être appelé pour l’instant."
        ),
    ),
    Why.DEFERRED: (
        [waiting(12, Kind.DEFERRED, 5)],
        (
            "Le visiteur avait demandé un délai jusqu’à 10:47_: c’est l’échéance la plus proche."
            " Personne d’autre ne peut être appelé pour l’instant."
        ),
    ),
    Why.EARLY: (
        [waiting(12, Kind.TIMED, 33), waiting(13, Kind.DEFERRED, 30)],
        "Personne d’autre ne peut être appelé_: son rendez-vous de 11:15 passe en avance.",
    ),
    Why.STRICT: (
        [waiting(15, Kind.TIMED, 8, strict=True), waiting(13, Kind.OPEN, 3)],
        "Ce service prend d’abord les rendez-vous, et celui de 10:50 est le plus proche. Ensuite vient A_013, à 10:45.",
    ),
}


@pytest.mark.parametrize("why", Why)
def test_each_reason_is_one_sentence(why: Why) -> None:
    queue, said = CASES[why]
    reason = explain(in_order(queue, NOW_MS), NOW_MS)
    assert reason is not None
    assert reason.why is why
    sentence = f"{reason_sentence(reason, 'Europe/Paris')} {then_sentence(reason, 'Europe/Paris')}"
    assert sentence.strip() == said.replace("_", NBSP)


@contextmanager
def a_queue(folder: Path, site: Site) -> Iterator[Queue]:
    engine = open_engine(sqlite_url(folder))
    queue = Queue(engine, site)
    try:
        yield queue
    finally:
        queue.close()
        engine.dispose()


def reason_at(queue: Queue, desk: str) -> Reason:
    """The reason that the desk's page gives for the next ticket."""
    at = queue.index.desk(desk)
    with queue.engine.connect() as connection:
        rows = read_desk(connection, queue.index, at, queue.now_ms)
    following = draw(rows, queue.index, at, lambda _: None, ListState()).next
    assert following is not None
    return following.reason


@pytest.mark.parametrize("helping_min", [20, 780, 1440])
def test_however_late_a_desk_helps_out_with_a_strict_service_its_page_says_when_and_why(
    tmp_path: Path, helping_min: int
) -> None:
    helping = replace(DESKS[1], helps=(Help(service="social", delay_min=helping_min),))
    with a_queue(tmp_path, town(desks=(helping, DESKS[2]))) as queue:
        queue.open("desk-2")
        appointment_ms = queue.now_ms + 5 * MINUTE_MS
        queue.ask(CheckIn, desk="desk-3", ticket=queue.book(appointment_ms, "social"))
        reason = reason_at(queue, "desk-2")
    due_ms = appointment_ms + helping_min * MINUTE_MS
    assert (reason.why, reason.due_ms) == (Why.STRICT, due_ms)


def test_a_walk_in_of_a_strict_service_is_next_for_having_come(tmp_path: Path) -> None:
    with a_queue(tmp_path, town()) as queue:
        queue.open("desk-3")
        queue.issue("social")
        assert reason_at(queue, "desk-3").why is Why.WALK_IN


def test_nobody_next_has_no_reason() -> None:
    assert explain([], NOW_MS) is None
    assert in_order([waiting(1, Kind.DEFERRED, 30)], NOW_MS) == []


@given(
    st.lists(
        st.builds(
            waiting,
            st.integers(1, 99),
            st.sampled_from(Kind),
            st.integers(-60, 60),
            helping_min=st.sampled_from([0, 20]),
            strict=st.booleans(),
        ),
        unique_by=lambda each: each.candidate.id,
    )
)
def test_what_is_explained_is_what_would_be_called(queue: list[Waiting]) -> None:
    chosen = choose([each.candidate for each in queue], NOW_MS)
    order = in_order(queue, NOW_MS)
    assert (order[0].candidate if order else None) == chosen
    assert (explain(order, NOW_MS) is None) == (chosen is None)


def test_the_sentences_hold_no_hole_unfilled() -> None:
    for queue, _ in CASES.values():
        reason = explain(in_order(queue, NOW_MS), NOW_MS)
        assert reason is not None
        assert not re.search(r"%\(|None", reason_sentence(reason, "Europe/Paris"))
