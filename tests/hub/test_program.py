"""`suivant hub` as a program: it serves, shuts down cleanly, and leaves nothing that breaks the next start."""

import asyncio
import json
import os
import signal
import socket
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
import websockets

from protocol.instants import Instant
from protocol.messages import Beat, HubStatus, IssueTicket, Parser, TicketReply
from protocol.topics import Topics
from tests.broker import peer, start_broker
from tests.forked import Forked, run
from tests.hub.standing import NodePeer, new_id, until

SITE = "town-hall"
PRINTER = "printer-1"
# Open day and night, so that the test works at any hour.
SITE_FILE = f"""\
name: {SITE}
town: Ville-Test
zone: Europe/Paris
halls:
  - {{name: hall, title: Hall}}
services:
  - name: civil
    letter: A
    title: État civil
    short: Civil
    hall: hall
    days: [monday, tuesday, wednesday, thursday, friday, saturday, sunday]
    opens: "0:00"
    last_ticket: "24:00"
    closes: "24:00"
desks:
  - {{name: desk-1, number: 1, hall: hall, serves: [civil]}}
nodes:
  - {{name: button-1, role: desk_button, desk: desk-1}}
  - {{name: {PRINTER}, role: ticket_printer, pins: {{civil: 5}}}}
"""
LIMIT_S = 60
ACCOUNT, PASSWORD = "secours", "trois tilleuls et un banc"
_status: Parser[HubStatus] = Parser(HubStatus)
_beats: Parser[Beat] = Parser(Beat)


class Program:
    """A running `suivant hub`. `log` holds its log lines so far; `more` are further settings."""

    def __init__(self, broker, url, folder, **more):
        settings = {
            "SUIVANT_SITE_FILE": str(folder / "site.yaml"),
            "SUIVANT_HTTP_PORT": "0",
            "SUIVANT_DATABASE_URL": url,
            "SUIVANT_LOG": "json",
            **more,
        }
        self._environ = {"PATH": os.environ["PATH"]} | settings | broker.environ("hub")
        self._folder = folder
        self._browser = None
        self.process = Forked("hub", "hub", environ=self._environ, folder=folder)
        self.log: list[str] = []
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            with self._more:
                self.log.append(line)
                self._more.notify_all()

    def wait_for(self, event):
        """Wait for this event in the log; return the fields of its first line."""

        def found():
            return next((json.loads(line) for line in self.log if f'"{event}"' in line), None)

        with self._more:
            assert self._more.wait_for(lambda: found() is not None, LIMIT_S), self.log
            return found()

    def get(self, path):
        answer = self._in().get(path)
        answer.raise_for_status()
        return answer.text

    def post(self, path):
        answer = self._in().post(path, json={})
        answer.raise_for_status()
        return answer.json()

    def worked_s(self):
        """The processor time it has used so far on all cores, which does not depend on the load of the machine."""
        user, system = (Path("/proc") / str(self.process.pid) / "stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def cookie(self):
        """The browser's Cookie header."""
        return "; ".join(f"{name}={value}" for name, value in self._in().cookies.items())

    def _in(self):
        """The browser of a person with both roles, logged in by a local account and signed on at desk 1."""
        if self._browser is None:
            address = self.wait_for("hub.serves")["address"].rstrip("/")
            self._browser = httpx.Client(
                base_url=address, headers={"Origin": address}, trust_env=False, timeout=LIMIT_S
            )
            self._make_account()
            form = {"account": ACCOUNT, "password": PASSWORD}
            assert self._browser.post("/login", data=form).status_code == 303
            self.post("/api/v1/desks/desk-1/sign-on")
        return self._browser

    def _make_account(self):
        """Create the account; the command refuses if an earlier run has created it."""
        (self._folder / "password").write_text(PASSWORD, encoding="utf-8")
        command = ["hub", "admin", "create", ACCOUNT, "--name", "Compte de secours", "--password-file", "password"]
        roles = [part for role in ("administrator", "agent") for part in ("--role", role)]
        run(*command, *roles, environ=self._environ, folder=self._folder)

    def close(self):
        if self._browser is not None:
            self._browser.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(LIMIT_S)
        self.process.stderr.close()

    def end(self, number=signal.SIGTERM):
        """Send the signal, wait for the end, and return the exit status."""
        self.process.send_signal(number)
        status = self.process.wait(LIMIT_S)
        self._reader.join(LIMIT_S)
        return status


@pytest.fixture
def broker(tmp_path):
    with start_broker(tmp_path / "broker", site=SITE) as made:
        yield made


@pytest.fixture
def start(broker, database_url, tmp_path):
    """Starts programs on the same database and broker; those still running at the end are killed."""
    (tmp_path / "site.yaml").write_text(SITE_FILE, encoding="utf-8")
    started = []

    def begin(**more):
        program = Program(broker, database_url, tmp_path, **more)
        started.append(program)
        return program

    yield begin
    for program in started:
        program.close()


@pytest.fixture
def systemd(tmp_path):
    """The socket on which systemd hears its services."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "notify"))
        made.settimeout(LIMIT_S)
        yield made


def under(systemd):
    """The variables that systemd sets for a service with Type=notify and a watchdog of 0.9 s."""
    return {"NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_USEC": "900000"}


def heard_so_far(systemd):
    systemd.setblocking(False)
    heard = []
    with suppress(BlockingIOError):
        while True:
            heard.append(systemd.recv(100))
    systemd.settimeout(LIMIT_S)
    return heard


@contextmanager
def watching(broker):
    topics = Topics(SITE)
    with peer(broker) as seen:
        seen.subscribe(topics.hub_status, topics.hub_beat)
        yield seen


def says(seen, online):
    topic = Topics(SITE).hub_status

    def wanted(message):
        if message.topic != topic:
            return None
        status = _status.parse(message.payload)
        return status if status.online is online else None

    return until(seen, wanted)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_and_ends_in_order(start, broker, number):
    program = start()
    with watching(broker) as seen:
        says(seen, True)
        assert json.loads(program.get("/healthz"))
        assert "suivant_broker_connected 1.0" in program.get("/metrics")
        assert program.end(number) == 0
        says(seen, False)
    assert "Traceback" not in "".join(program.log)
    assert program.wait_for("hub.stopped")


def test_killed_it_leaves_its_will_and_starts_again_at_once(start, broker):
    program = start()
    with watching(broker) as seen:
        first = says(seen, True)
        assert program.end(signal.SIGKILL) == -signal.SIGKILL
        says(seen, False)
        again = start()
        assert says(seen, True).boot != first.boot
    assert again.end() == 0


def test_a_second_one_on_the_same_database_refuses_and_the_first_goes_on(start):
    program = start()
    program.wait_for("hub.serves")
    second = start()
    assert second.process.wait(LIMIT_S) == 1
    second._reader.join(LIMIT_S)
    said = "".join(second.log)
    assert f"another hub already serves site {SITE}" in said
    assert "Traceback" not in said
    assert json.loads(program.get("/healthz"))
    assert program.end() == 0


def test_systemd_hears_that_it_serves_that_it_is_alive_and_that_it_ends(start, systemd):
    program = start(**under(systemd))
    assert [systemd.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
    assert program.end() == 0
    assert heard_so_far(systemd)[-1] == b"STOPPING=1"


def test_systemd_does_not_hear_of_a_start_that_is_refused(start, systemd):
    start().wait_for("hub.serves")
    second = start(**under(systemd))
    assert second.process.wait(LIMIT_S) == 1
    assert heard_so_far(systemd) == []


def test_what_was_answered_before_a_kill_is_there_after_it_and_is_not_done_twice(start, broker):
    program = start()
    with watching(broker) as seen:
        says(seen, True)
        topics = Topics(SITE)
        with peer(broker, PRINTER) as made:
            made.subscribe(f"{topics.root}/node/{PRINTER}/reply")
            dispenser = NodePeer(made, topics, PRINTER)
            ask = IssueTicket(id=new_id(), service="civil")
            first = dispenser.ask(ask)
            program.end(signal.SIGKILL)
            says(seen, False)
            start()
            says(seen, True)
            assert isinstance(first, TicketReply), first
            assert dispenser.ask(ask) == first
            assert dispenser.ticket().number != first.number


def test_its_beat_tells_the_time(start, broker):
    start()
    with watching(broker) as seen:
        beat = _beats.parse(seen.wait_for(Topics(SITE).hub_beat, LIMIT_S).payload).at
    assert abs(beat - Instant(time.time_ns() // 1_000_000)) < 10_000


def test_pages_that_all_come_back_at_once_after_a_start_are_drawn_and_nothing_is_made_ready_by_each(start, tmp_path):
    """Each of 40 threads used to compile all templates, so on two cores no page showed its state for half a minute."""
    desks = [f"desk-{number}" for number in range(1, 41)]
    more = "".join(
        f"  - {{name: {desk}, number: {number}, hall: hall, serves: [civil]}}\n"
        for number, desk in enumerate(desks[1:], 2)
    )
    (tmp_path / "site.yaml").write_text(SITE_FILE.replace("nodes:\n", f"{more}nodes:\n"), encoding="utf-8")
    program = start()
    cookie, address = program.cookie(), program.wait_for("hub.serves")["address"].rstrip("/")

    async def first_picture(desk):
        live = f"{address.replace('http', 'ws')}/desks/{desk}/live"
        headers = {"Cookie": cookie}
        async with websockets.connect(
            live, origin=address, additional_headers=headers, proxy=None, open_timeout=LIMIT_S
        ) as connection:
            while "content" not in json.loads(await connection.recv()):
                pass

    async def all_at_once():
        async with asyncio.timeout(LIMIT_S):
            await asyncio.gather(*map(first_picture, desks))

    before_s = program.worked_s()
    asyncio.run(all_at_once())
    # It used to take 30 s, and now takes 1 s.
    assert program.worked_s() - before_s < 10


def test_beside_a_postgresql_that_stands_still_it_says_so_and_ends_when_it_is_told_to(
    broker, postgresql, postgresql_url, systemd, tmp_path
):
    (tmp_path / "site.yaml").write_text(SITE_FILE, encoding="utf-8")
    program = Program(broker, postgresql_url, tmp_path, **under(systemd))
    try:
        address = program.wait_for("hub.serves")["address"]
        with watching(broker) as seen, peer(broker, PRINTER) as made, postgresql.standing_still():
            says(seen, True)
            NodePeer(made, Topics(SITE), PRINTER).request(IssueTicket(id=new_id(), service="civil"))
            answer = httpx.get(f"{address}healthz", trust_env=False, timeout=LIMIT_S)
            assert answer.status_code == 503
            assert "does not answer" in answer.json()["reasons"]["database"]
            # A restart would not help, and the queued commands would be lost.
            heard_so_far(systemd)
            assert systemd.recv(100) == b"WATCHDOG=1"
            assert program.end() == 0
    finally:
        program.close()
    assert program.wait_for("writer.left_behind")
    assert program.wait_for("hub.stopped")
    assert "Traceback" not in "".join(program.log)
