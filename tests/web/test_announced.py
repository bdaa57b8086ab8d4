"""A desk's page announces to screen readers what others see, and nothing of another day."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub.database.engine import open_engine
from hub.queue import requests as q
from hub.queue.requests import Origin, Source
from hub.site_index import SiteIndex
from hub.web.desk.drawing import draw
from hub.web.desk.reading import read_desk
from hub.web.desk.view import DeskView
from protocol.messages import DeskMode
from tests.databases import sqlite_url
from tests.web.stand import Stand, TurnedClock, a_site
from tests.web.texts import text_of


@pytest.fixture
def stand(tmp_path: Path, clock: TurnedClock) -> Iterator[Stand]:
    engine = open_engine(sqlite_url(tmp_path))
    made = Stand(engine, a_site(), clock.now_ms)
    yield made
    made.stop()
    engine.dispose()


@pytest.fixture
def page_of(stand: Stand, clock: TurnedClock) -> Callable[[str], str]:
    """The live part of a desk's page at this moment."""
    index, view = SiteIndex(stand.site), DeskView(stand.site)

    def drawn(name: str) -> str:
        desk = index.desk(name)
        with stand.engine.connect() as connection:
            rows = read_desk(connection, index, desk, clock.now_ms())
        return view.live(draw(rows, index, desk, stand.means.get, stand.list_state))

    return drawn


def announced(page: str) -> str:
    found = re.search(r'<p id="headline" class="unseen" role="status">(.*?)</p>', page)
    assert found
    return text_of(found[1])


def seen(page: str) -> str:
    found = re.search(r"<article.*?</article>", page, re.DOTALL)
    assert found
    return text_of(found[0])


def called(stand: Stand, desk: str) -> int:
    stand.open(desk)
    stand.issue("civil")
    ticket = stand.next(desk).ticket
    assert ticket is not None
    return ticket


def test_who_became_absent_by_itself_is_announced(
    stand: Stand, clock: TurnedClock, page_of: Callable[[str], str]
) -> None:
    ticket = called(stand, "desk-3")
    clock.turn(minutes=6)
    with stand.engine.connect() as connection:
        call = connection.exec_driver_sql(f"select call from ticket where id = {ticket}").scalar_one()  # noqa: S608
    stand.do(q.ExpireCalled(origin=Origin(Source.JOB), ticket=ticket, call=call))
    page = page_of("desk-3")
    assert "A 001 absent" in seen(page)
    assert announced(page) == "A 001 n’est pas venu dans le délai"


def test_who_is_shown_at_a_desk_that_confirms_no_arrivals_is_announced_there(
    stand: Stand, clock: TurnedClock, page_of: Callable[[str], str]
) -> None:
    called(stand, "desk-4")
    assert announced(page_of("desk-4")) == "A 001 est appelé au guichet 4"
    clock.turn(minutes=2)
    page = page_of("desk-4")
    assert seen(page).startswith("Au guichet")
    assert announced(page) == "A 001 est au guichet 4"


def test_what_was_done_last_on_another_day_is_told_with_its_date(
    stand: Stand, clock: TurnedClock, page_of: Callable[[str], str]
) -> None:
    clock.set("17:02")
    stand.open("desk-3")
    assert "> 17:02 · guichet ouvert" in re.sub(r"<[^>]+>", "> ", page_of("desk-3"))
    clock.turn(minutes=15 * 60)
    assert "> 24/11 17:02 · guichet ouvert" in re.sub(r"<[^>]+>", "> ", page_of("desk-3"))


@pytest.mark.parametrize(("mode", "said"), [(DeskMode.PAUSED, "est en pause"), (DeskMode.CLOSED, "est fermé")])
def test_a_desk_that_calls_nobody_is_announced(
    stand: Stand, page_of: Callable[[str], str], mode: DeskMode, said: str
) -> None:
    stand.open("desk-3")
    stand.do(q.SetMode(origin=stand.origin(), desk="desk-3", shown=None, mode=mode))
    assert announced(page_of("desk-3")).endswith(said)


def test_a_call_that_is_still_to_be_said_cannot_be_said_again(
    page_of: Callable[[str], str], stand: Stand, clock: TurnedClock
) -> None:
    def redraw_ms() -> int:
        index = SiteIndex(stand.site)
        with stand.engine.connect() as connection:
            rows = read_desk(connection, index, index.desk("desk-3"), clock.now_ms())
        return draw(rows, index, index.desk("desk-3"), stand.means.get, stand.list_state).redraw_ms

    def recall() -> str:
        return re.findall(r'<button id="recall".*?>', page_of("desk-3"))[0]

    called(stand, "desk-1")
    called(stand, "desk-3")
    play_ms = int(re.findall(r'data-play="(\d+)"', page_of("desk-3"))[0])
    while 'aria-disabled="true"' in recall():
        assert redraw_ms() < play_ms
        clock.at_ms = redraw_ms()
    assert clock.now_ms() == play_ms - 1_000


def test_a_call_that_is_said_at_once_can_be_said_again_at_once(page_of: Callable[[str], str], stand: Stand) -> None:
    called(stand, "desk-3")
    assert re.search(r'<button id="recall".*?formaction="/desks/desk-3/recall"', page_of("desk-3"))
