"""200 desks at once, and presses that are delivered repeatedly: no visitor is called twice or passed over."""

from collections import Counter, defaultdict
from collections.abc import Callable

import pytest

from hub.queue.answers import Answer, DeskAnswer
from hub.queue.commands.calls import BOUNCE_MS
from hub.queue.requests import Press, Source
from hub.queue.states import Event
from protocol.messages import DeskOutcome
from tests.checkers import check_all, check_order, next_by_hand
from tests.queue.harness import MINUTE, SECOND
from tests.torture.hall import Hall

NewHall = Callable[[int], Hall]


@pytest.mark.torture
def test_200_desks_that_press_at_once_never_call_a_visitor_twice_nor_pass_one_over(new_hall: NewHall, torture: bool):
    hall = new_hall(1)
    for number in range(50 if torture else 5):
        hall.now_ms += 2 * MINUTE
        # Fewer visitors than desks, so that some desks find nobody.
        hall.visitors(180)
        hall.count()
        presses = [press(hall, desk.name) for desk in hall.site.desks]
        hall.dice.shuffle(presses)
        answers = hall.do_all(presses)
        called = [answer.ticket for answer in answers if outcome(answer) is DeskOutcome.CALLED]
        assert len(called) == len(set(called)), "one visitor was called to two desks"
        nobody_missed(hall, presses, answers)
        if number % 10 == 0 or not torture:
            check_all(hall.rows())
    rows = hall.rows()
    check_all(rows)
    check_order(rows, hall.site)
    assert max(hall.batches) > 1, "the writer never had two presses before it"


@pytest.mark.torture
def test_a_press_that_comes_five_times_and_late_calls_one_visitor_and_has_one_answer(new_hall: NewHall, torture: bool):
    for seed in range(5 if torture else 1):
        hall = new_hall(100 + seed)
        presses_in_any_order(hall)
        hall.writer.stop()


def presses_in_any_order(hall: Hall) -> None:
    hall.visitors(1_500)
    hall.count()
    presses = random_presses(hall, 1_000)
    started_ms = hall.now_ms
    answers: dict[str, list[Answer]] = defaultdict(list)
    last_call_ms: Counter[str] = Counter()
    for at_ms, group in deliveries(hall, presses):
        hall.now_ms = started_ms + at_ms
        for command, answer in zip(group, hall.do_all(group, hands=1), strict=True):
            request = command.origin.request or ""
            if request not in answers:
                # As a person expects: a press before the desk's last call, or within 3 s after it, is the same press.
                bounces = command.at_ms < last_call_ms[command.desk] + BOUNCE_MS
                assert outcome(answer) is (DeskOutcome.TAKEN if bounces else DeskOutcome.CALLED)
                if not bounces:
                    last_call_ms[command.desk] = hall.now_ms
            answers[request].append(answer)
    assert len(answers) == len(presses)
    assert all(answer == given[0] for given in answers.values() for answer in given), "two answers to one press"
    rows = hall.rows()
    calls = Counter(each["request"] for each in rows.events if each["event"] == Event.CALL)
    called = {request for request, given in answers.items() if outcome(given[0]) is DeskOutcome.CALLED}
    assert set(calls) == called
    assert set(calls.values()) == {1}
    check_all(rows)
    check_order(rows, hall.site)


def random_presses(hall: Hall, count: int) -> list[Press]:
    """Presses over some minutes, at least 4 s apart at each desk; `at_ms` is the time of the gesture."""
    free_ms = {desk.name: hall.now_ms for desk in hall.site.desks}
    presses = []
    for _ in range(count):
        desk = hall.dice.choice(list(free_ms))
        free_ms[desk] += 4 * SECOND + hall.dice.randrange(20 * SECOND)
        presses.append(press(hall, desk, free_ms[desk]))
    return presses


def deliveries(hall: Hall, presses: list[Press]) -> list[tuple[int, list[Press]]]:
    """When each press is delivered, by time: 1 to 5 times, first within its life of 10 s, then at any time."""
    groups: dict[int, list[Press]] = defaultdict(list)
    for each in presses:
        first_ms = each.at_ms - hall.now_ms + hall.dice.randrange(9_900)
        later = [first_ms + hall.dice.randrange(60 * SECOND) for _ in range(hall.dice.randrange(5))]
        for at_ms in (first_ms, *later):
            groups[at_ms // 50 * 50].append(each)
    for group in groups.values():
        hall.dice.shuffle(group)
    # What comes within 50 ms is delivered at their end, at which none is older than its life.
    return [(at_ms + 50, group) for at_ms, group in sorted(groups.items())]


def nobody_missed(hall: Hall, presses: list[Press], answers: list[Answer]) -> None:
    """Check that desks that found nobody still find nobody: nobody has come meanwhile."""
    idle = {each.desk for each, answer in zip(presses, answers, strict=True) if outcome(answer) is DeskOutcome.NOBODY}
    assert idle
    rows = hall.rows()
    for desk in hall.site.desks:
        if desk.name in idle:
            assert next_by_hand(rows, hall.site, desk, hall.now_ms) is None, f"{desk.name} passed a visitor over"


def press(hall: Hall, desk: str, at_ms: int | None = None) -> Press:
    origin = hall.origin(Source.BUTTON, f"button-of-{desk}")
    return Press(origin=origin, desk=desk, at_ms=hall.now_ms if at_ms is None else at_ms)


def outcome(answer: Answer) -> DeskOutcome:
    assert isinstance(answer, DeskAnswer), answer
    return answer.outcome
