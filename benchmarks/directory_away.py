"""Calls by HTTP while staff try to log in with a directory that hangs, against calls while nobody logs in."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import msgspec

from benchmarks.calls_by_http import Client
from benchmarks.figures import Row, Run, ratio_row
from benchmarks.hall import DESKS
from benchmarks.hub_process import DIRECTORY
from benchmarks.presses import BETWEEN_ROUNDS_S, PACE_S, town
from tests.auth.slapd import PASSWORD, Slapd, start_slapd
from tests.auth.town_directory import people

CALLS = 100
MOST = 1.2
# More than the hub's concurrent directory requests: some logins hang, others wait for their turn.
TRYING = 8
# After HANG_S all logins hang; after OVER_S none is left, since a login ends within 5 s.
HANG_S, OVER_S = 1.0, 6.0


def measure(folder: Path, database: str, runs: int) -> list[Row]:
    with start_slapd(folder / "directory", people(crowd=TRYING)) as slapd:
        directory = {
            DIRECTORY: msgspec.json.encode(slapd.described()).decode(),
            "SUIVANT_LDAP_CA_FILE": str(slapd.files.ca),
            "SUIVANT_LDAP_PASSWORD_FILE": str(_password_file(folder, slapd)),
        }
        with town(folder / "town", database, more=directory) as (_hands, port):
            return [ratio_row("call-next by HTTP while the directory hangs", _calls(slapd, port, runs), 99, MOST)]


def _password_file(folder: Path, slapd: Slapd) -> Path:
    path = folder / "ldap-password"
    path.write_text(slapd.secrets.password)
    path.chmod(0o600)
    return path


def _calls(slapd: Slapd, port: int, runs: int) -> list[Run]:
    """Runs in which each way comes first every other time; the first run warms up and is discarded."""
    done, desk = [], 0
    for number in range(runs + 1):
        times: dict[bool, tuple[float, ...]] = {}
        for hanging in (number % 2 == 0, number % 2 == 1):
            # The earlier calls must have been announced, or the next ones would have more to do.
            time.sleep(BETWEEN_ROUNDS_S if number == 0 else OVER_S)
            if hanging:
                with _logins(slapd, port):
                    times[hanging] = _at_pace(port, desk)
            else:
                times[hanging] = _at_pace(port, desk)
            desk = (desk + CALLS) % DESKS
        if number:
            done.append(Run(times[False], times[True]))
    return done


def _at_pace(port: int, desk: int) -> tuple[float, ...]:
    # A new client each time, since the hub closes a connection that was idle in between.
    client, times = Client(port), []
    for place in range(CALLS):
        due_s = time.monotonic() + PACE_S
        times.append(client.timed_next((desk + place) % DESKS))
        time.sleep(max(due_s - time.monotonic(), 0))
    return tuple(times)


@contextmanager
def _logins(slapd: Slapd, port: int) -> Iterator[None]:
    """Within it, people with correct passwords log in again and again; each is told that the directory is away."""
    over, answers = threading.Event(), list[int]()
    accounts = [f"crowd{place:05}" for place in range(TRYING)]
    threads = [threading.Thread(target=_try, args=(each, port, over, answers)) for each in accounts]
    slapd.hang()
    for each in threads:
        each.start()
    time.sleep(HANG_S)
    try:
        yield
    finally:
        over.set()
        for each in threads:
            each.join()
        slapd.go_on()
    assert set(answers) == {503}, (
        f"while the directory hung, logins were answered with {set(answers)} instead of 503 only"
    )


def _try(account: str, port: int, over: threading.Event, answers: list[int]) -> None:
    form = urlencode({"account": account, "password": PASSWORD})
    headers = {"origin": f"http://127.0.0.1:{port}", "content-type": "application/x-www-form-urlencoded"}
    while not over.is_set():
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("POST", "/login", form, headers)
        answers.append(connection.getresponse().status)
        connection.close()
