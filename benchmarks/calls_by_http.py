"""HTTP call-next against a route of the same server that awaits one durable row through a thread."""

import json
import os
import time
from http.client import HTTPConnection
from typing import Any

from benchmarks.figures import Row, Run, ratio_row
from benchmarks.hall import DESKS, desk_name
from benchmarks.hub_process import FLOOR
from benchmarks.presses import BETWEEN_ROUNDS_S, PACE_S
from protocol.ids import uuid7

RUNS = 5
CALLS = 60
P50_MOST = 1.3


class Client:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self._origin = f"http://127.0.0.1:{port}"
        self._connection = HTTPConnection("127.0.0.1", port)
        self._connection.connect()

    def get(self, path: str) -> Any:
        return self._ask("GET", path, None)

    def timed_post(self, path: str, body: dict[str, Any]) -> tuple[float, Any]:
        """Milliseconds until the answer is read, and the answer."""
        text = json.dumps(body)
        started_s = time.perf_counter()
        answer = self._ask("POST", path, text)
        return (time.perf_counter() - started_s) * 1000, answer

    def _ask(self, method: str, path: str, body: str | None) -> Any:
        headers = {"origin": self._origin, "content-type": "application/json"}
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        answer = json.loads(response.read())
        assert response.status == 200, answer
        return answer


def call_next(port: int, runs: int = RUNS, calls: int = CALLS) -> list[Run]:
    """Interleaved request by request; a first run warms up and is thrown away."""
    client = Client(port)
    time.sleep(BETWEEN_ROUNDS_S)
    done, desk = [], 0
    for number in range(runs + 1):
        floor, whole = [], []
        for _ in range(calls if number else 20):
            due_s = time.monotonic() + PACE_S
            path = f"/api/v1/desks/{desk_name(desk)}"
            held = client.get(path)["held"]
            body = {"id": uuid7(time.time_ns() // 1_000_000, os.urandom(10)), "shown": held and held["ticket"]}
            if desk % 2:
                floor.append(client.timed_post(FLOOR, body)[0])
            spent_ms, answer = client.timed_post(f"{path}/next", body)
            assert answer["outcome"] == "called", answer
            whole.append(spent_ms)
            if not desk % 2:
                floor.append(client.timed_post(FLOOR, body)[0])
            desk = (desk + 1) % DESKS
            time.sleep(max(due_s - time.monotonic(), 0))
        if number:
            done.append(Run(tuple(floor), tuple(whole)))
    return done


def rows(name: str, runs: list[Run]) -> list[Row]:
    return [ratio_row(f"call-next by HTTP, {name}", runs, 50, P50_MOST)]
