"""Sends live pages: the whole picture of a desk at once, then each newer one.

A desk that somebody looks at has one room. The room draws once for all its readers: when the desk changes, when time
alone changes its picture, and when somebody joins. A reader keeps only the latest frame that was not sent yet. A
client that does not take a frame within a few seconds is dropped; it connects again and gets the whole picture.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from hub.site_index import SiteIndex, served_by

log = structlog.get_logger()

# A page that heard nothing for more than two of these says that it is offline.
BEAT_S = 5.0
# Longer than any working network needs for a picture, and short enough that nobody looks at an old one for long.
SEND_LIMIT_S = 5.0
# The shortest interval between redraws that only time causes, and the delay before a failed read is tried again.
LEAST_REDRAW_S, RETRY_S = 0.05, 1.0
# Desks that show only how many wait for a changed service are redrawn one at a time, at this interval: 200 pages at
# once would hold up presses.
FOLLOW_EVERY_S = 0.5
# Enough for the staff of the largest site with a few tabs each.
MAX_READERS = 2_000

Revision = tuple[int, int]


class Kind(StrEnum):
    """What a reader is sent: the page's own HTML, or the API's document."""

    PAGE = "page"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class Frames:
    """One picture, drawn for each kind of reader in the room. `redraw_in_ms`: after how long time alone changes it."""

    revision: Revision
    redraw_in_ms: int
    texts: Mapping[Kind, str]


Draw = Callable[[str, frozenset[Kind]], Awaitable[Frames]]
Beat = Callable[[], str]


class Reader:
    """One socket's latest unsent frame."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._frame = ""
        self._offered: tuple[Revision, str] | None = None
        self._ready = asyncio.Event()

    def offer(self, revision: Revision, frame: str) -> None:
        """Replace the frame that was not sent yet. A frame that is old or equal to the last one is ignored."""
        if self._offered is not None:
            newest, last = self._offered
            is_redrawn = self.kind is Kind.PAGE and revision == newest and frame != last
            if revision <= newest and not is_redrawn:
                return
        self._offered = revision, frame
        self._frame = frame
        self._ready.set()

    async def take(self) -> str:
        await self._ready.wait()
        self._ready.clear()
        return self._frame


class Room:
    """All readers of one desk."""

    def __init__(self, desk: str, draw: Draw, late_s: float = BEAT_S) -> None:
        self.desk = desk
        self.readers: set[Reader] = set()
        self.is_well = True
        self._draw, self._late_s = draw, late_s
        self._stale = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def join(self, reader: Reader) -> None:
        self.readers.add(reader)
        # Drawn anew: the reader's page may be newer than the room's last picture.
        self.mark_stale()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work(), name=f"live {self.desk}")

    def leave(self, reader: Reader) -> None:
        self.readers.discard(reader)
        if not self.readers:
            # Not cancelled: a read under way would go on in its thread, beside the next reader's.
            self.mark_stale()

    def mark_stale(self) -> None:
        self._stale.set()

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._task = None

    async def _work(self) -> None:
        while self.readers:
            wait_s = await self._draw_once()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._stale.wait()

    async def _draw_once(self) -> float:
        """Draw for all readers. Returns for how many seconds the picture holds."""
        # Cleared before the read: a change during the read must cause another one.
        self._stale.clear()
        # Without readers who join during the read: their page may be newer than what it reads.
        looking = frozenset(self.readers)
        # A read that hangs is waited for: it holds a thread and a connection, and another read would take more of them.
        late = asyncio.get_running_loop().call_later(self._late_s, self._not_drawn, TimeoutError.__name__)
        try:
            frames = await self._draw(self.desk, frozenset(reader.kind for reader in looking))
        except Exception as error:  # noqa: BLE001 - the pages say that they are offline, and it is tried again
            self._not_drawn(type(error).__name__)
            return RETRY_S
        finally:
            late.cancel()
        self.is_well = True
        for reader in looking & self.readers:
            reader.offer(frames.revision, frames.texts[reader.kind])
        return max(LEAST_REDRAW_S, frames.redraw_in_ms / 1000)

    def _not_drawn(self, error: str) -> None:
        # Logged each second while it lasts, so one line without a traceback.
        log.error("live.not_drawn", desk=self.desk, error=error)
        self.is_well = False


class Live:
    """All rooms. `changed` may be called from any thread; everything else runs in the web's event loop."""

    def __init__(
        self,
        index: SiteIndex,
        draw: Draw,
        beat: Beat,
        dropped: Callable[[], None] = lambda: None,
        *,
        beat_s: float = BEAT_S,
        send_limit_s: float = SEND_LIMIT_S,
    ) -> None:
        self._draw, self._beat, self._dropped = draw, beat, dropped
        self._beat_s, self._send_limit_s = beat_s, send_limit_s
        self._rooms: dict[str, Room] = {}
        self._desks_of = {
            service.name: [desk.name for desk in index.site.desks if service.name in served_by(desk)]
            for service in index.site.services
        }
        # Every page shows the tickets of services that the site no longer has.
        self._all_desks = [desk.name for desk in index.site.desks]
        self._loop: asyncio.AbstractEventLoop | None = None
        # The desks still to be redrawn in turn, in order, and the timer of the next one.
        self._behind: dict[str, None] = {}
        self._turn: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Called in the loop that will serve the sockets."""
        self._loop = asyncio.get_running_loop()

    def stop(self) -> None:
        self._loop = None
        if self._turn is not None:
            self._turn.cancel()
        for room in self._rooms.values():
            room.stop()
        self._rooms.clear()

    @property
    def reader_count(self) -> int:
        return sum(len(room.readers) for room in self._rooms.values())

    def changed(self, desks: Iterable[str], services: Iterable[str]) -> None:
        """Redraw these desks and the desks of these services. Call it after the commit, from any thread.

        The other desks show only how many wait for these services; they are redrawn in turn.
        """
        services = tuple(services)
        names = [*desks, *(desk for service in services for desk in self._desks_of.get(service, self._all_desks))]
        loop = self._loop
        if loop is None or not names:
            return
        # The loop may be closing just now; then nobody looks any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._tell, names, bool(services))

    def nudge(self, desk: str) -> None:
        """Redraw a desk whose page got an answer: it must show at least what the answer says. Call it in the loop."""
        self._mark([desk])

    def _tell(self, desks: Iterable[str], others_follow: bool) -> None:
        if others_follow:
            self._behind.update(dict.fromkeys(self._rooms))
        self._mark(desks)
        self._wait_for_turn()

    def _wait_for_turn(self) -> None:
        if self._behind and self._turn is None and self._loop is not None:
            self._turn = self._loop.call_later(FOLLOW_EVERY_S, self._follow)

    def _follow(self) -> None:
        self._turn = None
        looked_at = (desk for desk in self._behind if self._rooms[desk].readers)
        if desk := next(looked_at, None):
            self._mark([desk])
            self._wait_for_turn()
        else:
            self._behind.clear()

    def _mark(self, desks: Iterable[str]) -> None:
        for desk in desks:
            self._behind.pop(desk, None)
            if room := self._rooms.get(desk):
                room.mark_stale()

    async def serve(self, websocket: WebSocket, desk: str, kind: Kind) -> None:
        """Serve one socket until its end."""
        if self.reader_count >= MAX_READERS:
            await websocket.close(1013)
            return
        await websocket.accept()
        room = self._rooms.setdefault(desk, Room(desk, self._draw, self._beat_s))
        reader = Reader(kind)
        room.join(reader)
        listening = asyncio.create_task(_listen(websocket))
        sending = asyncio.create_task(self._send(websocket, room, reader))
        try:
            await asyncio.wait({listening, sending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            room.leave(reader)
            for task in (listening, sending):
                task.cancel()
            await asyncio.gather(listening, sending, return_exceptions=True)

    async def _send(self, websocket: WebSocket, room: Room, reader: Reader) -> None:
        time_s = asyncio.get_running_loop().time
        beat_at_s = time_s() + self._beat_s
        while True:
            frame = await _taken(reader, beat_at_s)
            if frame is None:
                beat_at_s = time_s() + self._beat_s
                # No beat while the room's reads fail or are late: its pages must not look alive.
                if reader.kind is Kind.DOCUMENT or not room.is_well:
                    continue
                frame = self._beat()
            try:
                async with asyncio.timeout(self._send_limit_s):
                    await websocket.send_text(frame)
            except TimeoutError:
                log.info("live.reader_dropped", desk=room.desk, limit_s=self._send_limit_s)
                self._dropped()
                return
            except (WebSocketDisconnect, RuntimeError):
                return


async def _taken(reader: Reader, until_s: float) -> str | None:
    """Return the next frame, or None from `until_s` on, even if a frame is ready: a busy desk needs beats too."""
    if asyncio.get_running_loop().time() >= until_s:
        return None
    try:
        # Not wait_for: in Python 3.11 it loses a cancellation that comes together with the result.
        async with asyncio.timeout_at(until_s):
            return await reader.take()
    except TimeoutError:
        return None


async def _listen(websocket: WebSocket) -> None:
    """Wait for the end of a socket; its reader sends nothing."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass
