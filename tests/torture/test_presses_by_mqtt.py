"""200 desks at once again, through a real broker and the whole hub."""

import queue
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from benchmarks.hall import desk_name, large_site, node_name
from hub.clock import Clock
from hub.queue.requests import Issue, Origin, SetMode, Source
from protocol.instants import Instant
from protocol.messages import DeskMode, DeskOutcome, DeskReply, Parser, Press, Reply, encode
from protocol.topics import NodeTopic
from tests.broker import Peer, peer
from tests.checkers import check_all, check_order, read
from tests.hub.standing import Standing, new_id
from tests.queue.harness import moment
from tests.torture.load import open_broker

CLIENTS = tuple(f"hands-{number}" for number in range(8))
EAR = "ear"
# On a slow machine the first 200 presses of a morning take PostgreSQL longer than a press lives.
QUIET_S, SENT_MOST = 6, 10
_replies: Parser[Reply] = Parser(Reply)


class Wall:
    """A wall clock that the test turns."""

    def __init__(self) -> None:
        self.now_ms = moment("2026-11-24 10:00")

    def clock(self) -> Clock:
        return Clock(wall_ns=lambda: self.now_ms * 1_000_000, monotonic_ns=lambda: 0)


@contextmanager
def a_hall(url: str, folder: Path, wall: Wall) -> Iterator[tuple[Standing, list[Peer], Peer]]:
    """A hub with 200 open desks, eight clients that each press for 25 of them, and a client that hears the answers."""
    site = large_site()
    with ExitStack() as stack:
        broker = stack.enter_context(open_broker(folder, site, (*CLIENTS, EAR)))
        hub = Standing(url, site, broker, wall.clock()).start()
        stack.callback(hub.hub.stop)
        hands = [stack.enter_context(peer(broker, name)) for name in CLIENTS]
        ear = stack.enter_context(peer(broker, EAR))
        ear.subscribe(hub.topics.every_node(NodeTopic.REPLY))
        for desk in site.desks:
            origin = Origin(Source.PAGE, "agent", new_id())
            hub.do(SetMode(origin=origin, desk=desk.name, shown=None, mode=DeskMode.OPEN))
        yield hub, hands, ear


@pytest.mark.torture
def test_200_buttons_pressed_at_once_call_200_visitors_in_their_order(database_url: str, tmp_path: Path, torture: bool):
    wall = Wall()
    with a_hall(database_url, tmp_path, wall) as (hub, hands, ear):
        for _ in range(50 if torture else 5):
            wall.now_ms += 10_000
            for number in range(180):
                service = hub.site.services[number % len(hub.site.services)].name
                request = new_id()
                hub.do(Issue(origin=Origin(Source.DISPENSER, "door", request), service=service, code=request))
            replies = press_all(hub, hands, ear, wall.now_ms)
            called = [reply.number for reply in replies.values() if reply.outcome is DeskOutcome.CALLED]
            assert len(called) == len(set(called)) == 180
        rows = read(hub.hub.engine, hub.site.name)
        check_all(rows)
        check_order(rows, hub.site)
        held = {each["desk"] for each in rows.tickets if each["state"] == "called"}
        assert held == {desk_name(place) for place, reply in replies.items() if reply.outcome is DeskOutcome.CALLED}


def press_all(hub: Standing, hands: list[Peer], ear: Peer, now_ms: int) -> dict[int, DeskReply]:
    """Press at all desks; returns the answers by desk. When none comes for a while, open presses are resent."""
    ids = {new_id(): place for place in range(len(hub.site.desks))}
    replies: dict[int, DeskReply] = {}
    for _ in range(SENT_MOST):
        send_all(hub, hands, {place: request for request, place in ids.items() if place not in replies}, now_ms)
        with suppress(queue.Empty):
            while len(replies) < len(ids):
                reply = _replies.parse(ear.seen.get(timeout=QUIET_S).payload)
                assert isinstance(reply, DeskReply), reply
                # A second answer to a press of the round before may still arrive.
                if reply.id in ids:
                    replies[ids[reply.id]] = reply
            return replies
    raise AssertionError(f"{len(ids) - len(replies)} presses were never answered")


def send_all(hub: Standing, hands: list[Peer], presses: dict[int, str], now_ms: int) -> None:
    """Send the presses, given by desk, from all clients at the same moment."""
    gate = threading.Barrier(len(hands))

    def press(number: int) -> None:
        gate.wait()
        for place, request in presses.items():
            if place % len(hands) == number:
                message = Press(id=request, beat=Instant(now_ms), since_ms=0)
                topic = hub.topics.node(node_name(place), NodeTopic.REQUEST)
                hands[number].client.publish(topic, encode(message), 1)

    threads = [threading.Thread(target=press, args=(number,)) for number in range(len(hands))]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
