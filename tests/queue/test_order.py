"""The order rule compared with brute force: as a pure function, and through the look-ups of both databases."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert

from hub.database.tables import TicketRow
from hub.queue.order import Candidate, Kind, choose, takeable
from hub.queue.states import State
from hub.queue.tickets import Ticket
from hub.queue.transaction import Work
from hub.site import DAY_MS, Service
from tests.checkers import Rows, next_by_hand
from tests.queue.harness import DESKS, MINUTE, SERVICES, town

_ticket = TicketRow.__table__

# Few values, close together, so that ties and edge cases are frequent.
MOMENTS = st.integers(min_value=-8, max_value=8).map(lambda five: five * 5 * MINUTE)


@st.composite
def waiting_tickets(draw):
    """Up to 20 tickets with random service, kind and due time, some bound to a desk, some not waiting."""
    count = draw(st.integers(min_value=0, max_value=20))
    tickets = []
    for number in range(1, count + 1):
        bound = draw(st.sampled_from([None] * 6 + [desk.name for desk in DESKS]))
        tickets.append(
            {
                "id": number,
                "service": draw(st.sampled_from(SERVICES)).name,
                "kind": "open" if bound else draw(st.sampled_from(list(Kind))).value,
                "due_ms": draw(MOMENTS),
                "state": draw(st.sampled_from(["waiting"] * 5 + ["served", "called"])),
                "bound_desk": bound,
            }
        )
    return tickets


def heads(tickets, desk, services: dict[str, Service]):
    """What the look-ups find: the first ticket of each service and kind, and the first bound to the desk."""
    delays = dict.fromkeys(desk.serves, 0) | {each.service: each.delay_min * MINUTE for each in desk.helps}
    found = {}
    for each in sorted(tickets, key=lambda each: (each["due_ms"], each["id"])):
        if each["state"] != "waiting":
            continue
        if each["bound_desk"] == desk.name:
            found.setdefault(("bound",), Candidate(each["id"], each["service"], Kind.OPEN, each["due_ms"], 0, 0))
        elif each["bound_desk"] is None and each["service"] in delays:
            service, kind = services[each["service"]], Kind(each["kind"])
            handicap = delays[each["service"]] - (DAY_MS if service.strict and kind is Kind.TIMED else 0)
            early = service.early_call_min * MINUTE
            candidate = Candidate(each["id"], each["service"], kind, each["due_ms"], handicap, early)
            found.setdefault((each["service"], kind), candidate)
    return list(found.values())


@settings(max_examples=1000)
@given(waiting_tickets(), MOMENTS, st.sampled_from(DESKS))
def test_the_heads_of_the_queues_are_enough_to_find_who_is_next(tickets, now_ms, desk):
    services = {each.name: each for each in SERVICES}
    chosen = choose(heads(tickets, desk, services), now_ms)
    expected = next_by_hand(Rows(tickets), town(), desk, now_ms)
    assert (chosen.id if chosen else None) == expected


def test_the_database_finds_whom_brute_force_finds(new_queue):
    queue = new_queue()

    @settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(waiting_tickets(), MOMENTS)
    def holds(tickets, ahead_ms):
        # At most one ticket of each desk may be called; the draw does not ensure that.
        called = [each for each in tickets if each["state"] == "called"]
        rows = [
            {
                **dict.fromkeys(Ticket.__struct_fields__),
                **each,
                "site": queue.site.name,
                "day": "2026-11-24",
                "series": "A",
                "number": each["id"],
                "priority": False,
                "code": f"{queue.site.name}-{each['id']}",
                "end_known": True,
                "due_ms": queue.now_ms + each["due_ms"],
                "desk": DESKS[called.index(each) % 4].name if each in called[:4] else None,
                "state": "served" if each in called[4:] else each["state"],
            }
            for each in tickets
        ]
        raw = queue.connection
        with queue.engine.execution_options(write=True).begin() as connection:
            connection.execute(delete(_ticket).where(_ticket.c.site == queue.site.name))
            if rows:
                connection.execute(insert(_ticket), rows)
        now_ms = queue.now_ms + ahead_ms
        work = Work(raw, queue.index, now_ms, queue.origin(), lambda _: None)
        for desk in DESKS:
            view, _ = work.look(desk)
            chosen = choose((head.candidate for head in view.heads), now_ms)
            expected = next_by_hand(Rows(rows), queue.site, desk, now_ms)
            assert (chosen.id if chosen else None) == expected
        raw.rollback()

    holds()


def candidate(number, due_ms, kind=Kind.OPEN, *, handicap_ms=0, early_ms=0):
    return Candidate(number, "civil", kind, due_ms, handicap_ms, early_ms)


def test_nobody_waiting_is_nobody_called():
    assert choose([], 0) is None


def test_the_earliest_due_is_called_and_of_two_the_lower_id():
    assert choose([candidate(2, 5), candidate(1, 9)], 0).id == 2
    assert choose([candidate(2, 5), candidate(1, 5)], 0).id == 1


def test_the_handicap_of_a_helping_desk_counts_before_the_id():
    assert choose([candidate(1, 0, handicap_ms=10), candidate(2, 9)], 0).id == 2
    assert choose([candidate(1, 0, handicap_ms=10), candidate(2, 10)], 0).id == 1


@pytest.mark.parametrize("kind", [Kind.TIMED, Kind.DEFERRED])
def test_a_timed_or_deferred_ticket_is_taken_at_the_very_moment_from_which_it_may_be(kind):
    early = candidate(1, 100, kind, early_ms=10)
    later = candidate(2, 1_000)
    assert choose([early, later], 89).id == 2
    assert choose([early, later], 90).id == 1


def test_too_early_appointments_alone_are_called_in_their_order_and_deferred_ones_never():
    early = [candidate(3, 300, Kind.TIMED), candidate(2, 200, Kind.TIMED), candidate(1, 100, Kind.DEFERRED)]
    assert [each.id for each in takeable(early, 0)] == [2, 3]
    assert choose([candidate(1, 100, Kind.DEFERRED)], 0) is None


def test_all_states_are_known_to_the_checker():
    assert {"waiting", "called", "served"} <= set(State)
