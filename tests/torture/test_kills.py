"""The hub is killed at random under load: what it answered is kept, nothing is done twice, and screens recover."""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import pytest
from msgspec.structs import fields, replace
from sqlalchemy import Engine, make_url

from benchmarks.hall import large_site
from hub.mqtt.pictures import CALLS_SHOWN
from hub.queue.states import Event, State
from hub.queue.tickets import number_text
from hub.site import Node, Site
from protocol.messages import DeskOutcome, DeskReply, HallState, Refused, Role, TicketReply
from tests.broker import Broker
from tests.checkers import Rows, check_all, check_order, read
from tests.forked import Forked
from tests.torture.load import Load, open_broker

DESKS, DISPENSERS = 40, 40
LIMIT_S = 60
KILLED_WHILE_STARTING = 0.15


@pytest.mark.torture
def test_a_hub_that_is_killed_under_load_loses_no_call_makes_none_twice_and_its_screens_heal(
    database_url: str, engine: Engine, tmp_path: Path, torture: bool, capsys: pytest.CaptureFixture[str]
):
    kills = 200 if torture else 10
    dice = random.Random(kills)
    site = a_site()
    healed_s = []
    with (
        open_broker(tmp_path, site) as broker,
        a_hub(database_url, broker, site, tmp_path) as hub,
        closing(Load(broker, site, dice)) as load,
    ):
        wait(load, lambda: load.boots, "the hub never said that it is there")
        load.go()
        for number in range(kills):
            many = load.answered + dice.randrange(1, 60)
            wait(load, lambda many=many: load.answered >= many, "the hub does not answer")
            hub.kill(after_s=dice.random() * 0.02)
            if dice.random() < KILLED_WHILE_STARTING:
                hub.start()
                hub.kill(after_s=dice.random() * 2)
            committed = last_event(read(engine, site.name))
            runs = len(load.boots)
            hub.start()
            wait(load, lambda runs=runs: len(load.boots) > runs, "the hub did not come back")
            back_s = time.monotonic()
            wait(load, lambda event=committed: revisions(load) >= event, "screens stay as they were")
            healed_s.append(time.monotonic() - back_s)
            if number % 10 == 9:
                settle(load)
                check_all(read(engine, site.name))
                load.go()
        settle(load)
        rows = read(engine, site.name)
        check_all(rows)
        check_order(rows, site)
        right = true(rows, site)
        wait(load, lambda: shown(load) == right, "screens show something else than the database")
        check_answers(load, rows)
    assert '"level": "error"' not in (tmp_path / "hub.log").read_text(encoding="utf-8")
    with capsys.disabled():
        print(f"\n{told(database_url, kills, load, healed_s)}")  # noqa: T201 - docs/torture.md quotes it


def check_answers(load: Load, rows: Rows) -> None:
    """Check that everything answered is in the database once, and that each repeat got the same answer."""
    calls = {each["request"]: each for each in rows.events if each["event"] == Event.CALL}
    tickets = {each["id"]: each for each in rows.tickets}
    issued = {each["request"]: each for each in rows.tickets}
    assert len(issued) == len(rows.tickets), "one request issued two tickets"
    for request, answers in load.answers.items():
        assert all(answer == answers[0] for answer in answers), f"answered differently: {answers}"
        match answers[0]:
            case TicketReply(number=number):
                ticket = issued[request]
                assert number == number_text(ticket["series"], ticket["number"])
            case DeskReply(outcome=DeskOutcome.CALLED, number=number):
                ticket = tickets[calls[request]["ticket"]]
                assert number == number_text(ticket["series"], ticket["number"])
            case DeskReply():
                assert request not in calls
            case Refused(code=code):
                assert code == "too_old"
            case other:
                raise AssertionError(other)
    by_event = {str(each["id"]): each for each in rows.events}
    for said in load.screens.announced.values():
        assert by_event[said.id.rpartition("-")[2]]["event"] == Event.CALL, (
            "a call was announced that was never committed"
        )


def settle(load: Load) -> None:
    """Stop new requests, and wait until all open ones are answered or dropped."""
    load.rest()
    wait(load, lambda: load.unanswered == 0, "some are never answered")


def wait(load: Load, until: Callable[[], Any], else_: str) -> None:
    with load.changed:
        assert load.changed.wait_for(lambda: until() or load.faults, LIMIT_S), else_
    assert not load.faults, load.faults


def revisions(load: Load) -> int:
    """The number of the journal row that every screen has reached."""
    if len(load.screens.halls) < len(load.site.halls):
        return 0
    return min(picture.revision[1] for picture in load.screens.halls.values())


def last_event(rows: Rows) -> int:
    return max(each["id"] for each in rows.events)


def shown(load: Load) -> dict[str, tuple[Any, ...]]:
    """What the screens of each hall show: counts, and calls with the newest first."""
    return {hall: (_counts(picture), _numbers(picture)) for hall, picture in load.screens.halls.items()}


def _counts(picture: HallState) -> tuple[int, ...]:
    return tuple(each.count for each in picture.waiting)


def _numbers(picture: HallState) -> tuple[str, ...]:
    return tuple(each.number for each in picture.calls[:CALLS_SHOWN])


def true(rows: Rows, site: Site) -> dict[str, tuple[Any, ...]]:
    """What they should show, from the database's rows."""
    halls: dict[str, tuple[Any, ...]] = {}
    for hall in site.halls:
        services = [service.name for service in site.services if service.hall == hall.name]
        mine = [each for each in rows.tickets if each["service"] in services]
        waiting = tuple(
            sum(each["service"] == name and each["state"] == State.WAITING for each in mine) for name in services
        )
        called = sorted((each for each in mine if each["call"] is not None), key=lambda each: -each["call"])
        numbers = tuple(number_text(each["series"], each["number"]) for each in called[:CALLS_SHOWN])
        halls[hall.name] = (waiting, numbers)
    return halls


class HubProcess:
    """`suivant hub`, which can be killed and started again."""

    def __init__(self, environ: dict[str, str], log: Path) -> None:
        self._environ = environ
        self._log = log
        self._process: Forked | None = None

    def start(self) -> None:
        environ = os.environ | self._environ
        self._process = Forked("hub", "hub", environ=environ, folder=self._log.parent, to=(self._log, self._log))

    def kill(self, *, after_s: float = 0.0) -> None:
        """Kill the hub, as a power cut would. The pause makes the moment random; nothing waits for it."""
        assert self._process is not None
        time.sleep(after_s)
        assert self._process.poll() is None, f"the hub ended by itself: {self._log.read_text()[-2000:]}"
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def a_hub(url: str, broker: Broker, site: Site, folder: Path) -> Iterator[HubProcess]:
    site_file = folder / "site.yaml"
    site_file.write_bytes(msgspec.json.encode(_as_written(site)))
    environ = {
        "SUIVANT_SITE_FILE": str(site_file),
        "SUIVANT_DATABASE_URL": url,
        "SUIVANT_HTTP_PORT": "0",
        "SUIVANT_LOG_LEVEL": "warning",
    }
    hub = HubProcess(environ | broker.environ("hub"), folder / "hub.log")
    hub.start()
    try:
        yield hub
    finally:
        hub.stop()


def a_site() -> Site:
    """20 services, each in its own hall, 40 desks and 40 dispensers: the hub limits the tickets of each."""
    site = large_site(DESKS)
    pins = {service.name: place for place, service in enumerate(site.services)}
    names = [f"dispenser-{place}" for place in range(1, DISPENSERS + 1)]
    dispensers = [Node(name=name, role=Role.TICKET_PRINTER, pins=pins) for name in names]
    return replace(site, nodes=(*site.nodes, *dispensers))


def _as_written(value: Any) -> Any:
    """A value as a site file has it, without what equals its default."""
    if isinstance(value, msgspec.Struct):
        told = [(field.encode_name, getattr(value, field.name), field.default) for field in fields(value)]
        return {name: _as_written(each) for name, each, default in told if each != default and each not in ((), {})}
    return [_as_written(each) for each in value] if isinstance(value, tuple) else msgspec.to_builtins(value)


def told(url: str, kills: int, load: Load, healed_s: list[float]) -> str:
    return (
        f"{make_url(url).get_backend_name()}: {kills} kills, {load.answered} answers to {len(load.answers)} requests, "
        f"{len(load.dropped)} presses dropped by their age; screens right {median(healed_s):.2f} s after the hub said "
        f"that it is back, {max(healed_s):.2f} s at most"
    )
