"""HTTP call-next against a route of the same server that awaits one durable row through a thread, and against the same
call without the door, which checks permissions.
"""

import json
import os
import random
import time
from http.client import HTTPConnection
from typing import Any

from benchmarks.figures import Row, Run, ratio_row
from benchmarks.hall import DESKS, desk_name, token
from benchmarks.hub_process import FLOOR, NO_DOOR
from benchmarks.presses import BETWEEN_ROUNDS_S, PACE_S
from protocol.ids import uuid7

RUNS = 5
CALLS = 60
P50_MOST = 1.3
DOOR_MOST = 1.05


class Client:
    """One keep-alive connection; each request has the cookie of the agent at the desk that it is about."""

    def __init__(self, port: int) -> None:
        self._origin = f"http://127.0.0.1:{port}"
        self._connection = HTTPConnection("127.0.0.1", port)
        self._connection.connect()

    def get(self, path: str, desk: int) -> Any:
        return self._ask("GET", path, desk, None)

    def timed_post(self, path: str, desk: int, body: dict[str, Any]) -> tuple[float, Any]:
        """The milliseconds until the answer is read, and the answer."""
        text = json.dumps(body)
        started_s = time.perf_counter()
        answer = self._ask("POST", path, desk, text)
        return (time.perf_counter() - started_s) * 1000, answer

    def timed_next(self, desk: int, before: str = "") -> float:
        """The milliseconds of a call at this desk; `before`: a prefix of the path."""
        path = f"/api/v1/desks/{desk_name(desk)}"
        held = self.get(path, desk)["held"]
        spent_ms, answer = self.timed_post(f"{before}{path}/next", desk, asked(held and held["ticket"]))
        assert answer["outcome"] == "called", answer
        return spent_ms

    def _ask(self, method: str, path: str, desk: int, body: str | None) -> Any:
        cookie = f"suivant={token(desk)}"
        headers = {"origin": self._origin, "content-type": "application/json", "cookie": cookie}
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        answer = json.loads(response.read())
        assert response.status == 200, answer
        return answer


def asked(shown: int | None = None) -> dict[str, Any]:
    return {"id": uuid7(time.time_ns() // 1_000_000, os.urandom(10)), "shown": shown}


def call_next(port: int, runs: int = RUNS, calls: int = CALLS) -> list[Run]:
    """Runs with floor and call interleaved; the first run warms up and is discarded."""
    time.sleep(BETWEEN_ROUNDS_S)
    client = Client(port)
    done, desk = [], 0
    for number in range(runs + 1):
        floor, whole = [], []
        for _ in range(calls if number else 20):
            due_s = time.monotonic() + PACE_S
            if desk % 2:
                floor.append(client.timed_post(FLOOR, desk, asked())[0])
            whole.append(client.timed_next(desk))
            if not desk % 2:
                floor.append(client.timed_post(FLOOR, desk, asked())[0])
            desk = (desk + 1) % DESKS
            time.sleep(max(due_s - time.monotonic(), 0))
        if number:
            done.append(Run(tuple(floor), tuple(whole)))
    return done


def call_past_the_door(port: int, runs: int = RUNS, calls: int = CALLS) -> list[Run]:
    """Runs with calls without and with the door in random order; the first run warms up and is discarded."""
    time.sleep(BETWEEN_ROUNDS_S)
    client = Client(port)
    done, desk = [], 0
    for number in range(runs + 1):
        without: list[float] = []
        with_it: list[float] = []
        # Shuffled, since every fourth desk is in the same hall, and each way should get all desks.
        ways = [True, False] * (calls if number else 20)
        random.Random(number).shuffle(ways)
        for past in ways:
            due_s = time.monotonic() + PACE_S
            (without if past else with_it).append(client.timed_next(desk, NO_DOOR if past else ""))
            desk = (desk + 1) % DESKS
            time.sleep(max(due_s - time.monotonic(), 0))
        if number:
            done.append(Run(tuple(without), tuple(with_it)))
    return done


def rows(name: str, runs: list[Run]) -> list[Row]:
    return [ratio_row(f"call-next by HTTP, {name}", runs, 50, P50_MOST)]


def door_rows(name: str, runs: list[Run]) -> list[Row]:
    return [ratio_row(f"call-next over one without the rights check, {name}", runs, 50, DOOR_MOST)]
