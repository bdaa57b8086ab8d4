"""Live sockets send the whole picture at once, then each newer one, to fast and slow readers."""

import asyncio
import itertools
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets
from structlog.testing import capture_logs

from hub.appointments.list_state import ListState
from hub.auth.roles import Role
from hub.queue.requests import CancelBooking, Move, SetMode
from hub.site_index import SiteIndex
from hub.web.guard import SECURITY_HEADERS
from hub.web.live import Frames, Kind, Live, Reader, Room
from protocol.messages import DeskMode
from tests.web.stand import COOKIE, Served, Stand, TurnedClock, a_site

LIMIT_S = 20
DOCUMENT, PAGE = "/api/v1/desks/desk-3/live", "/desks/desk-3/live"


@asynccontextmanager
async def reader(server: Served, path: str, **options: Any) -> AsyncIterator[websockets.ClientConnection]:
    address, origin = f"ws://127.0.0.1:{server.port}{path}", f"http://127.0.0.1:{server.port}"
    cookie = {"Cookie": f"{COOKIE}={await asyncio.to_thread(server.stand.log_in, Role.AGENT)}"}
    async with websockets.connect(
        address,
        origin=origin,  # type: ignore[arg-type]
        additional_headers=cookie,
        proxy=None,
        **options,
    ) as connection:
        yield connection


async def next_of(connection: websockets.ClientConnection) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await asyncio.wait_for(connection.recv(), LIMIT_S))
    return found


def test_a_reader_gets_the_whole_then_each_newer_revision(server: Served, stand: Stand) -> None:
    stand.open("desk-3")
    ticket = stand.issue("civil").ticket

    async def read() -> None:
        async with reader(server, DOCUMENT) as connection:
            whole = await next_of(connection)
            assert (whole["mode"], whole["held"], whole["next"]["number"]) == ("open", None, "A001")
            await asyncio.to_thread(stand.next, "desk-3")
            newer = await next_of(connection)
            while newer["held"] is None:
                newer = await next_of(connection)
            assert newer["held"]["ticket"] == ticket
            assert newer["revision"] > whole["revision"]

    asyncio.run(read())


def test_the_pages_socket_sends_html_and_the_hubs_clock(server: Served, stand: Stand, clock: TurnedClock) -> None:
    stand.open("desk-3")

    async def read() -> None:
        async with reader(server, PAGE) as connection:
            frame = await next_of(connection)
            assert "Personne n’attend" in frame["content"]
            assert frame["now_ms"] == clock.at_ms
            await asyncio.to_thread(stand.issue, "civil")
            while "A\u00a0001" not in (await next_of(connection)).get("content", ""):
                pass

    asyncio.run(read())


def test_pages_of_other_services_follow_too(server: Served, stand: Stand) -> None:
    async def read() -> None:
        async with reader(server, "/desks/desk-6/live") as family, reader(server, "/desks/desk-9/live") as another:
            for connection in (family, another):
                assert "A État civil 0" in (await next_of(connection))["content"]
            await asyncio.to_thread(stand.issue, "civil")
            for connection in (family, another):
                while "A État civil 1" not in (await next_of(connection)).get("content", ""):
                    pass

    asyncio.run(asyncio.wait_for(read(), LIMIT_S))


def test_the_page_of_a_desk_that_is_gone_is_told_so(one_server: Served) -> None:
    """The handshake is not refused: the page's script could not tell that from a hub that is away."""

    async def connect() -> int:
        async with reader(one_server, "/desks/desk-99/live") as connection:
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await next_of(connection)
        return closed.value.rcvd.code if closed.value.rcvd else 0

    assert asyncio.run(connect()) == 4404


def test_an_unknown_desk_has_no_socket(server: Served) -> None:
    async def connect() -> None:
        async with reader(server, "/api/v1/desks/desk-99/live"):
            pass

    with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
        asyncio.run(connect())
    assert refused.value.response.status_code == 404
    assert SECURITY_HEADERS.items() <= dict(refused.value.response.headers.items()).items()


@pytest.mark.parametrize("path", ["/desks/Desk%203/live", "/api/v1/desks/Desk%203/live"])
def test_a_name_that_no_desk_can_have_is_refused_as_elsewhere(server: Served, path: str) -> None:
    async def connect() -> None:
        async with reader(server, path):
            pass

    with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
        asyncio.run(connect())
    assert refused.value.response.status_code == 422
    assert json.loads(refused.value.response.body or b"")["code"] == "invalid_request"
    assert SECURITY_HEADERS.items() <= dict(refused.value.response.headers.items()).items()


def test_each_picture_says_whether_screens_are_reached(server: Served, stand: Stand) -> None:
    stand.hears_the_hub = False

    async def read() -> None:
        async with reader(server, PAGE) as connection:
            assert (await next_of(connection))["screens"] is False

    asyncio.run(read())


def test_many_readers_of_one_desk_are_drawn_for_once(server: Served, stand: Stand) -> None:
    stand.open("desk-3")

    async def read() -> None:
        async with reader(server, PAGE) as first, reader(server, PAGE) as second:
            await next_of(first)
            await next_of(second)
            await asyncio.to_thread(stand.issue, "civil")
            assert await next_of(first) == await next_of(second)

    asyncio.run(read())


# --- one reader, without a socket -----------------------------------------------------------------------------------


def test_only_the_latest_frame_is_kept_for_a_reader_that_is_busy() -> None:
    async def offer() -> None:
        busy = Reader(Kind.PAGE)
        busy.offer((1, 1), "old")
        busy.offer((1, 2), "new")
        assert await asyncio.wait_for(busy.take(), LIMIT_S) == "new"

    asyncio.run(offer())


@pytest.mark.parametrize(
    ("kind", "revision", "frame", "is_taken"),
    [
        (Kind.PAGE, (1, 4), "older", False),
        (Kind.PAGE, (0, 9), "of an older generation", False),
        (Kind.PAGE, (1, 5), "same", False),
        (Kind.PAGE, (1, 5), "redrawn by time", True),
        (Kind.PAGE, (2, 1), "of a newer generation", True),
        (Kind.DOCUMENT, (1, 5), "redrawn by time", False),
        (Kind.DOCUMENT, (1, 6), "newer", True),
    ],
)
def test_a_reader_is_never_sent_an_older_picture(
    kind: Kind, revision: tuple[int, int], frame: str, is_taken: bool
) -> None:
    async def offer() -> None:
        one = Reader(kind)
        one.offer((1, 5), "same")
        await one.take()
        one.offer(revision, frame)
        taken = asyncio.ensure_future(one.take())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert taken.done() is is_taken
        taken.cancel()

    asyncio.run(offer())


class StalledSocket:
    """A socket whose reader went to sleep: it takes the first frame, and never the second."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.has_sent = asyncio.Event()

    async def accept(self) -> None:
        pass

    async def receive(self) -> dict[str, str]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send_text(self, frame: str) -> None:
        if self.sent:
            await asyncio.Event().wait()
        self.sent.append(frame)
        self.has_sent.set()


def test_a_slow_reader_is_dropped_and_others_are_not_held_up() -> None:
    pictures, dropped = iter(range(1, 100)), []

    async def draw(_desk: str, kinds: frozenset[Kind]) -> Frames:
        count = next(pictures)
        return Frames((1, count), 60_000, dict.fromkeys(kinds, f"picture {count}"))

    async def serve() -> None:
        live = Live(SiteIndex(a_site()), draw, lambda: "beat", lambda: dropped.append("once"), send_limit_s=0.05)
        live.start()
        slow = StalledSocket()
        serving = asyncio.create_task(live.serve(slow, "desk-3", Kind.PAGE))  # type: ignore[arg-type]
        await asyncio.wait_for(slow.has_sent.wait(), LIMIT_S)
        live.changed(["desk-3"], [])
        await asyncio.wait_for(serving, LIMIT_S)
        assert slow.sent == ["picture 1"]
        assert live.reader_count == 0
        fast = StalledSocket()
        again = asyncio.create_task(live.serve(fast, "desk-3", Kind.PAGE))  # type: ignore[arg-type]
        await asyncio.wait_for(fast.has_sent.wait(), LIMIT_S)
        assert fast.sent != slow.sent
        again.cancel()
        live.stop()

    with capture_logs() as logs:
        asyncio.run(serve())
    assert [entry["event"] for entry in logs] == ["live.reader_dropped"]
    assert dropped == ["once"]


def test_the_beat_comes_though_there_is_always_another_picture() -> None:
    """Only the beat tells the present time: a picture may have been drawn a while ago."""

    async def draw(_desk: str, _kinds: frozenset[Kind]) -> Frames:
        raise AssertionError

    async def send() -> None:
        busy, has_beaten = Reader(Kind.PAGE), asyncio.Event()

        class Socket:
            async def send_text(self, frame: str) -> None:
                revision[0] += 1
                busy.offer((1, revision[0]), "picture")
                if frame == "beat":
                    has_beaten.set()
                await asyncio.sleep(0)

        revision = [1]
        busy.offer((1, 1), "picture")
        live = Live(SiteIndex(a_site()), draw, lambda: "beat", beat_s=0.01)
        sending = asyncio.create_task(live._send(Socket(), Room("desk-3", draw), busy))  # type: ignore[arg-type]
        try:
            await asyncio.wait_for(has_beaten.wait(), LIMIT_S)
        finally:
            sending.cancel()

    asyncio.run(send())


def test_a_reader_behind_a_stalled_link_is_dropped(one_server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real reader that never reads: frames fill its buffers, and the hub drops it within the limit."""
    stand = one_server.stand
    live = stand.web.state.live
    monkeypatch.setattr(live, "_send_limit_s", 0.2)
    stand.open("desk-3")
    for _ in range(50):
        stand.issue("civil")

    async def stall() -> None:
        # The smallest possible buffers, with no room for what comes in.
        link = socket.socket()
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        link.connect(("127.0.0.1", one_server.port))
        link.setblocking(False)
        async with reader(
            one_server, PAGE, sock=link, max_queue=1, compression=None, ping_interval=None, close_timeout=0
        ) as connection:
            await next_of(connection)
            async with asyncio.timeout(LIMIT_S * 3):
                # However many frames the buffers take, since a desk can pause and open without end.
                for mode in itertools.cycle((DeskMode.PAUSED, DeskMode.OPEN)):
                    if not live.reader_count:
                        return
                    command = SetMode(origin=stand.origin(), desk="desk-3", shown=None, mode=mode)
                    await asyncio.to_thread(stand.do, command)

    asyncio.run(stall())


def test_a_room_that_cannot_read_is_not_well_and_recovers() -> None:
    broken, has_failed = True, asyncio.Event()

    async def draw(_desk: str, kinds: frozenset[Kind]) -> Frames:
        if broken:
            has_failed.set()
            raise OSError("the database is away")
        return Frames((1, 1), 60_000, dict.fromkeys(kinds, "well"))

    async def look() -> None:
        nonlocal broken
        room = Room("desk-3", draw)
        one = Reader(Kind.PAGE)
        room.join(one)
        await asyncio.wait_for(has_failed.wait(), LIMIT_S)
        await asyncio.sleep(0)
        assert not room.is_well
        broken = False
        room.mark_stale()
        assert await asyncio.wait_for(one.take(), LIMIT_S) == "well"
        assert room.is_well
        room.leave(one)

    with capture_logs():
        asyncio.run(look())


def test_a_room_whose_read_hangs_is_not_well_until_it_has_read() -> None:
    async def look() -> None:
        hangs, may_read = False, asyncio.Event()

        async def draw(_desk: str, kinds: frozenset[Kind]) -> Frames:
            if hangs:
                await may_read.wait()
            return Frames((1, int(hangs)), 60_000, dict.fromkeys(kinds, "late" if hangs else "in time"))

        room = Room("desk-3", draw, late_s=0.01)
        one = Reader(Kind.PAGE)
        async with asyncio.timeout(LIMIT_S):
            room.join(one)
            assert await one.take() == "in time"
            assert room.is_well
            hangs = True
            room.mark_stale()
            while room.is_well:  # noqa: ASYNC110 - there is no event to wait for: the test is about silence
                await asyncio.sleep(0.001)
            may_read.set()
            assert await one.take() == "late"
            assert room.is_well
        room.leave(one)

    with capture_logs() as logs:
        asyncio.run(look())
    assert [(entry["event"], entry["error"]) for entry in logs] == [("live.not_drawn", "TimeoutError")]


def test_who_comes_back_while_a_read_hangs_begins_no_second_one() -> None:
    async def look() -> None:
        begun, has_begun, may_end = 0, asyncio.Event(), asyncio.Event()

        async def draw(_desk: str, kinds: frozenset[Kind]) -> Frames:
            nonlocal begun
            begun += 1
            has_begun.set()
            await may_end.wait()
            return Frames((1, 1), 60_000, dict.fromkeys(kinds, "read at last"))

        live = Live(SiteIndex(a_site()), draw, lambda: "beat")
        live.start()

        async def has_joined() -> None:
            while not live.reader_count:  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0)

        async with asyncio.timeout(LIMIT_S):
            for _ in range(3):
                leaving = asyncio.create_task(live.serve(StalledSocket(), "desk-3", Kind.PAGE))  # type: ignore[arg-type]
                await has_begun.wait()
                await has_joined()
                leaving.cancel()
                await asyncio.gather(leaving, return_exceptions=True)
            back = StalledSocket()
            serving = asyncio.create_task(live.serve(back, "desk-3", Kind.PAGE))  # type: ignore[arg-type]
            await has_joined()
            assert begun == 1
            may_end.set()
            await back.has_sent.wait()
            assert (back.sent, begun) == (["read at last"], 2)
        serving.cancel()
        live.stop()

    asyncio.run(look())


def test_who_joins_sees_what_changed_before_though_the_room_was_not_told_yet() -> None:
    """The page was already drawn with the change, so its first picture must not be older."""
    at = 1

    async def draw(_desk: str, kinds: frozenset[Kind]) -> Frames:
        return Frames((1, at), 60_000, dict.fromkeys(kinds, f"picture {at}"))

    async def look() -> None:
        nonlocal at
        room = Room("desk-3", draw)
        first, second = Reader(Kind.PAGE), Reader(Kind.PAGE)
        room.join(first)
        assert await asyncio.wait_for(first.take(), LIMIT_S) == "picture 1"
        at = 2
        room.join(second)
        assert await asyncio.wait_for(second.take(), LIMIT_S) == "picture 2"
        room.stop()

    asyncio.run(look())


def test_who_joins_while_the_room_reads_waits_for_the_next_picture() -> None:
    async def look() -> None:
        at, reading, may_end = 1, asyncio.Semaphore(0), asyncio.Semaphore(0)

        async def draw(_desk: str, kinds: frozenset[Kind]) -> Frames:
            read = at
            reading.release()
            await may_end.acquire()
            return Frames((1, read), 60_000, dict.fromkeys(kinds, f"picture {read}"))

        room = Room("desk-3", draw)
        first, second = Reader(Kind.PAGE), Reader(Kind.PAGE)
        async with asyncio.timeout(LIMIT_S):
            room.join(first)
            await reading.acquire()
            at = 2
            room.join(second)
            may_end.release()
            assert await first.take() == "picture 1"
            sent = asyncio.ensure_future(second.take())
            await reading.acquire()
            assert not sent.done()
            may_end.release()
            assert await sent == "picture 2"
        room.stop()

    asyncio.run(look())


def test_pages_are_drawn_anew_where_the_list_of_bookings_says_something_else_and_only_then(
    server: Served, stand: Stand, clock: TurnedClock
) -> None:
    stand.list_state = ListState("Publik", clock.at_ms)
    stand.web.state.list_changed()
    drawn = 0
    draw = stand.web.state.live._draw

    async def counted(desk: str, kinds: frozenset[Kind]) -> Frames:
        nonlocal drawn
        drawn += 1
        frames: Frames = await draw(desk, kinds)
        return frames

    stand.web.state.live._draw = counted

    async def read() -> None:
        async with reader(server, PAGE) as connection:
            while "à jour" not in (await next_of(connection)).get("content", ""):
                pass
            before = drawn
            for _ in range(20):
                clock.turn(seconds=1)
                stand.list_state = ListState("Publik", clock.at_ms)
                await asyncio.to_thread(stand.web.state.list_changed)
            stand.list_state = ListState("Publik", clock.at_ms, late=True)
            await asyncio.to_thread(stand.web.state.list_changed)
            while "liste de 8:30" not in (await next_of(connection)).get("content", ""):
                pass
            assert drawn == before + 1

    asyncio.run(read())


def test_a_booking_that_comes_moves_and_goes_shows_itself(server: Served, stand: Stand, clock: TurnedClock) -> None:
    async def read() -> None:
        async with reader(server, PAGE) as connection:

            async def until(text: str, *, there: bool = True) -> None:
                async with asyncio.timeout(LIMIT_S):
                    while (shown := (await next_of(connection)).get("content")) is None or (text in shown) is not there:
                        pass

            await next_of(connection)
            ticket = await asyncio.to_thread(stand.book, "civil", clock.at_ms + 3_600_000, name="Zoé Exemple")
            await until("Zoé Exemple")
            booking, later_ms = stand.booking_of(ticket), clock.at_ms + 7_200_000
            await asyncio.to_thread(stand.take, Move(booking=booking, appointment_ms=later_ms))
            await until(">10:30<")
            await asyncio.to_thread(stand.take, CancelBooking(booking=booking))
            await until("Zoé Exemple", there=False)

    asyncio.run(read())
