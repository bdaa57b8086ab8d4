"""From a press to the display, and 200 presses at once."""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from types import MappingProxyType

from benchmarks import floor_process
from benchmarks.figures import Row, Run, median_of, ratio_row, spread
from benchmarks.hall import DESKS, fill, large_site, sign_everybody_on
from benchmarks.load import Hands, bench_broker, program
from hub.database.engine import open_engine
from tests.broker import free_port

WAITING = 10_000
RUNS = 5
PRESSES = 100
# 20 halls take turns, and each announces one call in 4 s: faster calls would rightly wait for the one before.
PACE_S = 0.21
# 200 calls in 20 halls are announced after 40 s; ending a visit whose call is not announced yet takes a desk longer.
BETWEEN_ROUNDS_S = 42.0
# A desk's next press counts 3 s after its last call.
BOUNCE_S = 3.6
ROUNDS = 5
P50_MOST = {"sqlite": 1.25, "postgresql": 1.5}
ALL_MOST_MS = {"sqlite": 100, "postgresql": 200}


@contextmanager
def town(
    folder: Path, database: str, waiting: int = WAITING, more: Mapping[str, str] = MappingProxyType({})
) -> Iterator[tuple[Hands, int]]:
    """Run broker, hub and floor on a full hall with an agent signed on at each desk.

    Yields the hands that press there and the port of the hub's pages. `more`: additions to the hub's environment.
    """
    folder.mkdir(parents=True, exist_ok=True)
    engine = open_engine(database)
    fill(engine, large_site(), waiting=waiting)
    sign_everybody_on(engine, large_site())
    engine.dispose()
    with bench_broker(folder / "broker") as broker:
        port = free_port()
        environ = {"SUIVANT_DATABASE_URL": database, "SUIVANT_HTTP_PORT": str(port), "SUIVANT_LOG_LEVEL": "warning"}
        floor = program("benchmarks.floor_process", environ | broker.environ(floor_process.NAME), folder / "floor.log")
        hub = program("benchmarks.hub_process", environ | broker.environ("hub") | more, folder / "hub.log")
        with floor, hub, closing(Hands(broker)) as hands:
            hands.wait_for_beat()
            hands.wait_for_floor()
            yield hands, port


def press_to_display(hands: Hands, runs: int = RUNS, presses: int = PRESSES) -> list[Run]:
    """Runs with floor and press interleaved; the first run warms both up and is discarded."""
    done, desk = [], 0
    time.sleep(BOUNCE_S)
    for number in range(runs + 1):
        floor, whole = [], []
        for _ in range(presses if number else 40):
            due_s = time.monotonic() + PACE_S
            topic, payload = hands.press_message(desk)
            # Each goes first every other time, so that what one leaves warm or dirty affects both alike.
            if desk % 2:
                floor.append(_floor(hands, payload))
            sent_s = hands.send(topic, payload)
            whole.append(hands.wait_for_announce(desk) - sent_s)
            if not desk % 2:
                floor.append(_floor(hands, payload))
            desk = (desk + 1) % DESKS
            time.sleep(max(due_s - time.monotonic(), 0))
        if number:
            done.append(Run(tuple(each * 1000 for each in floor), tuple(each * 1000 for each in whole)))
    return done


def _floor(hands: Hands, payload: bytes) -> float:
    sent_s = hands.send(floor_process.ASKED, payload)
    return hands.wait_for_said(payload) - sent_s


def at_once(hands: Hands, rounds: int = ROUNDS) -> list[float]:
    """For each round, the milliseconds from the first of 200 presses to the last of their answers."""
    times = []
    for _ in range(rounds):
        time.sleep(BETWEEN_ROUNDS_S)
        while not hands.replies.empty():
            hands.replies.get()
        messages = [hands.press_message(desk) for desk in range(DESKS)]
        started_s = time.perf_counter()
        for topic, payload in messages:
            hands.send(topic, payload)
        answers = [hands.replies.get(timeout=20) for _ in messages]
        assert len({answer.topic for answer in answers}) == DESKS
        assert all(b'"called"' in answer.payload for answer in answers), answers[0]
        times.append((max(answer.at_s for answer in answers) - started_s) * 1000)
    return times


def rows(backend: str, name: str, runs: list[Run], times: list[float]) -> list[Row]:
    p99_ms = median_of(runs, "whole", 99)
    most = ALL_MOST_MS[backend]
    return [
        ratio_row(f"press to display, {name}", runs, 50, P50_MOST[backend]),
        ratio_row(f"press to display, {name}", runs, 99, 2),
        Row(f"press to display, {name}, p99", f"{p99_ms:.1f} ms", "< 50 ms", p99_ms < 50),
        Row(
            f"200 presses at once, {name}, all answered",
            f"{median(times):.0f} ms",
            f"≤ {most} ms",
            median(times) <= most,
            f"rounds {spread(times, 0)} ms",
        ),
    ]
