"""The whole hub on a real broker."""

import json
import queue
import time
from functools import partial
from itertools import pairwise, takewhile
from traceback import walk_tb

import pytest
from msgspec.structs import replace

from hub.app import Hub
from hub.clock import Clock
from hub.database.engine import open_driver_connection, open_engine
from hub.database.faults import DatabaseBusy, SiteTaken
from hub.metrics import BadReason
from hub.queue.requests import Book, CheckIn, Origin, Source
from hub.site import MINUTE_MS
from protocol.instants import Instant
from protocol.link import BrokerSettings, Incoming
from protocol.messages import (
    Abandon,
    Announce,
    DeskButtonConfig,
    DeskOutcome,
    DeskReply,
    DeskState,
    DisplayConfig,
    Done,
    HallState,
    HubStatus,
    IssueTicket,
    NodeConfig,
    NodeStatus,
    Parser,
    Pause,
    Press,
    Printed,
    Recall,
    Refused,
    Reply,
    Role,
    Telemetry,
    TicketPrinterConfig,
    TicketReply,
    encode,
)
from protocol.topics import NodeTopic
from tests.checkers import check_all, read
from tests.databases import sqlite_url
from tests.hub.standing import LIMIT_S, NODES, a_town, beat_of, eventually, new_id, node, observer, standing, until

_announces: Parser[Announce] = Parser(Announce)
_desks: Parser[DeskState] = Parser(DeskState)
_halls: Parser[HallState] = Parser(HallState)
_configs: Parser[NodeConfig] = Parser(NodeConfig)
_hub: Parser[HubStatus] = Parser(HubStatus)
_replies: Parser[Reply] = Parser(Reply)


@pytest.fixture
def hub(database_url, tmp_path):
    """A new hub for each test, on both databases."""
    with standing(database_url, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def town_hall(tmp_path_factory):
    """One hub for all tests that do not depend on the database; desk-2 is open."""
    folder = tmp_path_factory.mktemp("town-hall")
    with standing(sqlite_url(folder), folder) as made:
        made.open("desk-2")
        yield made


def desk_state(hub, peer, desk, wanted):
    topic = hub.topics.desk_state(desk)
    return until(peer, lambda seen: matching(_desks, seen, topic, wanted))


def hall_state(hub, peer, wanted):
    topic = hub.topics.hall_state("hall")
    return until(peer, lambda seen: matching(_halls, seen, topic, wanted))


def matching(parser, seen, topic, wanted):
    if seen.topic != topic:
        return None
    message = parser.parse(seen.payload)
    return message if wanted(message) else None


def test_a_ticket_and_a_press_are_answered_announced_and_shown(hub):
    hub.open("desk-1")
    with observer(hub) as seen, node(hub, "printer-1") as printer, node(hub, "button-1") as button:
        ticket = printer.ticket()
        assert isinstance(ticket, TicketReply)
        assert (ticket.number, ticket.service_name, ticket.people_ahead) == ("A001", "État civil", 0)
        desk_state(hub, seen, "desk-1", lambda state: state.callable and state.waiting == 1)
        press = button.press()
        assert button.ask(press) == DeskReply(id=press.id, outcome=DeskOutcome.CALLED, number="A001")
        announcement = _announces.parse(seen.wait_for(hub.topics.hall_announce("hall")).payload)
        assert (announcement.number, announcement.desk, announcement.length_ms) == ("A001", "1", 8_000)
        state = desk_state(hub, seen, "desk-1", lambda state: state.number == "A001")
        assert (state.waiting, state.callable) == (0, False)
        assert hub.hub.outbox.revision >= state.revision
    with observer(hub) as newcomer:
        picture = hall_state(hub, newcomer, lambda hall: hall.calls)
        assert [(call.number, call.desk) for call in picture.calls] == [("A001", "1")]
        assert picture.calls[0].id == announcement.call
    with observer(hub) as newcomer:
        assert desk_state(hub, newcomer, "desk-1", lambda state: True).number == "A001"


def test_a_request_that_is_delivered_five_times_has_one_effect_and_one_answer(hub):
    hub.open("desk-1")
    with node(hub, "printer-1") as printer, node(hub, "button-1") as button:
        ask = IssueTicket(id=new_id(), service="civil")
        assert len({repr(printer.ask(ask)) for _ in range(5)}) == 1
        press = button.press()
        assert {button.ask(press).outcome for _ in range(5)} == {DeskOutcome.CALLED}
    rows = read(hub.hub.engine, hub.site.name)
    check_all(rows)
    assert len(rows.tickets) == 1


def test_a_dispenser_tells_what_it_printed_and_what_it_gave_up(hub):
    with node(hub, "printer-1") as printer:
        ask = IssueTicket(id=new_id(), service="papers")
        printer.ask(ask)
        printed, abandon = Printed(id=new_id(), of=ask.id), Abandon(id=new_id(), of=ask.id)
        assert printer.ask(printed) == Done(id=printed.id)
        assert printer.ask(abandon) == Done(id=abandon.id)
    (ticket,) = read(hub.hub.engine, hub.site.name).tickets
    assert ticket["state"] == "cancelled"


def test_pause_and_recall_by_the_button_are_answered(hub):
    hub.open("desk-1")
    with node(hub, "button-1") as button:
        beat = Instant(time.time_ns() // 1_000_000)
        recall, pause = Recall(id=new_id(), beat=beat, since_ms=0), Pause(id=new_id(), beat=beat, since_ms=0)
        assert button.ask(recall) == DeskReply(id=recall.id, outcome=DeskOutcome.NOTHING)
        assert button.ask(pause).outcome is DeskOutcome.TAKEN
        answer = button.ask(button.press())
        assert (answer.code, "desk-1 is paused" in answer.detail) == ("desk_not_open", True)


def test_each_node_is_told_what_it_is_for_and_the_hub_who_it_is(town_hall):
    hub = town_hall
    with observer(hub) as seen:
        wanted = {hub.topics.node(each.name, NodeTopic.CONFIG): each for each in NODES}
        found = {}
        while len(found) < len(wanted):
            message = seen.seen.get(timeout=20)
            if message.topic in wanted:
                assert message.retained
                found[wanted[message.topic].name] = _configs.parse(message.payload)
    assert isinstance(found["button-1"], DeskButtonConfig)
    assert found["button-2"].desk == "desk-2"
    assert isinstance(found["screen-1"], DisplayConfig)
    assert (found["screen-1"].hall, found["screen-1"].letters) == ("hall", "ABCD")
    assert isinstance(found["printer-1"], TicketPrinterConfig)
    assert [(button.service, button.pin) for button in found["printer-1"].buttons] == [("civil", 5), ("papers", 6)]
    with observer(hub, hub.topics.hub_status) as seen:
        assert _hub.parse(seen.wait_for(hub.topics.hub_status).payload).online


def test_the_hub_beats_each_three_seconds_with_its_own_time(town_hall):
    hub = town_hall
    with observer(hub, hub.topics.hub_beat) as seen:
        beats = [beat_of(seen, hub.topics) for _ in range(2)]
        # A busy machine delays some beats, but not all of them.
        while beats[-1] - beats[-2] > 5_000 and len(beats) < 10:
            beats.append(beat_of(seen, hub.topics))
    assert 2_500 <= beats[-1] - beats[-2] <= 5_000
    assert abs(beats[-1] - time.time_ns() // 1_000_000) < 10_000


# --- wrong messages and failing nodes -----------------------------------------------------------------------------


def bad(hub, reason):
    return hub.metric(f'suivant_bad_messages_total{{reason="{reason}"}}')


DEEP = b'{"id":"%s","v":1,"type":"press","x":' + b"[" * 8_000 + b"]" * 8_000 + b"}"


@pytest.mark.parametrize(
    ("payload", "reason", "answered"),
    [
        (b"", BadReason.MALFORMED, False),
        (b"\xff\xfe\x00", BadReason.MALFORMED, False),
        (b'{"v":1', BadReason.MALFORMED, False),
        (b"[" * 8_000, BadReason.MALFORMED, False),
        (DEEP, BadReason.MALFORMED, False),
        (b'{"v":1,"type":"dance","id":"%s"}', BadReason.MALFORMED, True),
        (b'{"v":1,"type":"press","id":"%s","beat":"soon","since_ms":0}', BadReason.MALFORMED, True),
        *(
            (b'{"v":1,"type":"press","id":"%s","beat":' + beat + b',"since_ms":0}', BadReason.MALFORMED, True)
            for beat in (b"1764499200000", b"1.5", b"null", b"true", b'["2026-11-24T09:41:06.000Z"]', b"{}")
        ),
        (b'{"v":1,"type":"press","id":"not-an-id"}', BadReason.MALFORMED, False),
        (
            b'{"v":1,"type":"press","id":"%s","beat":"0001-01-01T00:00:00+23:59","since_ms":-1}',
            BadReason.MALFORMED,
            True,
        ),
        (b'{"v":2,"type":"press","id":"%s"}', BadReason.OTHER_VERSION, True),
        (b'{"v":1,"type":"press","id":"%s","x":"' + b"x" * 20_000 + b'"}', BadReason.OVERSIZED, False),
    ],
)
def test_a_message_that_is_none_is_counted_answered_where_it_has_an_id_and_the_hub_goes_on(
    town_hall, payload, reason, answered
):
    hub = town_hall
    request = new_id()
    before = bad(hub, reason)
    with node(hub, "button-1") as button:
        button.request(payload.replace(b"%s", request.encode()))
        if answered:
            # An answer to the previous test may still arrive.
            reply = next(each for each in iter(button.reply, None) if each.id == request)
            assert isinstance(reply, Refused)
            assert reply.code == "bad_message"
        # The hub still works, since it answers the next request; it answers in order, so the first is counted by now.
        assert isinstance(button.ask(button.press()), Refused | DeskReply)
    assert bad(hub, reason) == before + 1


def test_an_unknown_node_is_counted_and_gets_nothing(town_hall):
    hub = town_hall
    with node(hub, "stranger") as stranger, node(hub, "button-1") as button:
        stranger.request(stranger.press())
        button.ask(button.press())
    assert bad(hub, BadReason.UNKNOWN_NODE) == 1


def test_a_node_of_another_site_is_refused_by_the_broker_itself(town_hall):
    hub = town_hall
    with node(hub, "button-1") as button:
        code = button.peer.publish("suivant/1/other-town/node/button-1/request", encode(button.press()))
        assert code == "Not authorized"
        assert isinstance(button.ask(button.press()), Refused)


def test_a_message_for_another_site_that_reaches_the_hub_is_counted(town_hall):
    hub = town_hall
    hub.hub.broker._deliver(Incoming("suivant/1/other-town/node/button-1/request", b"{}", False, 0))
    with node(hub, "button-1") as button:
        button.ask(button.press())
    assert bad(hub, BadReason.WRONG_SITE) == 1


def test_a_button_that_asks_for_a_ticket_and_a_dispenser_that_presses_are_refused(town_hall):
    hub = town_hall
    with node(hub, "button-1") as button, node(hub, "printer-1") as printer:
        for each, message in ((button, IssueTicket(id=new_id(), service="civil")), (printer, printer.press())):
            reply = each.ask(message)
            assert (reply.id, reply.code) == (message.id, "wrong_role")
    assert bad(hub, BadReason.WRONG_ROLE) == 2


def test_a_ticket_of_a_service_that_is_not_there_is_refused_and_counted(town_hall):
    hub = town_hall
    with node(hub, "printer-1") as printer:
        reply = printer.ticket("nothing")
    assert (reply.code, reply.detail) == ("unknown", "this site has no service 'nothing'")
    assert bad(hub, BadReason.UNKNOWN_SERVICE) == 1
    eventually(lambda: hub.metric('suivant_refused_total{code="unknown"}') == 1)


def test_a_press_for_a_closed_desk_is_refused_with_a_sentence(town_hall):
    hub = town_hall
    with node(hub, "button-1") as button:
        reply = button.ask(button.press())
    assert (reply.code, reply.detail) == ("desk_not_open", "desk desk-1 is closed: press needs an open desk")


def test_a_status_or_a_telemetry_that_is_none_does_not_stop_the_beat(town_hall):
    hub = town_hall
    before = bad(hub, BadReason.MALFORMED) + bad(hub, BadReason.OTHER_VERSION)
    with node(hub, "screen-1") as screen, observer(hub, hub.topics.hub_beat) as seen:
        for topic in (NodeTopic.STATUS, NodeTopic.TELEMETRY):
            for payload in (b"", b"[" * 8_000, b'{"v":1,"online":"perhaps"}', b'{"v":9}'):
                screen.peer.publish(hub.topics.node("screen-1", topic), payload)
        eventually(lambda: bad(hub, BadReason.MALFORMED) + bad(hub, BadReason.OTHER_VERSION) == before + 8)
        beat_of(seen, hub.topics)


def test_a_node_that_comes_and_goes_is_counted(town_hall):
    hub = town_hall
    topic = hub.topics.node("screen-1", NodeTopic.STATUS)
    with node(hub, "screen-1") as screen:
        for online, count in ((True, 1), (True, 1), (False, 0)):
            status = NodeStatus(online=online, role=Role.DISPLAY, version="1", boot="b")
            screen.peer.publish(topic, encode(status))
            eventually(lambda count=count: hub.metric('suivant_nodes_online{role="display"}') == count)


def test_a_dispenser_without_paper_is_counted_until_it_has_paper_or_goes(town_hall):
    hub = town_hall
    with node(hub, "printer-1") as printer, node(hub, "screen-1") as screen:
        for each, role in ((printer, Role.TICKET_PRINTER), (screen, Role.DISPLAY)):
            _tell(each, NodeTopic.STATUS, NodeStatus(online=True, role=role, version="1", boot="b"))
        _warn(printer, "paper_out", "paper_out")
        _warn(
            screen, "too_small: call can be read from at most 3.5 m", "too_small: list can be read from at most 3.5 m"
        )
        eventually(lambda: (_warned(hub, "paper_out"), _warned(hub, "too_small")) == (1, 1))
        _warn(printer)
        eventually(lambda: _warned(hub, "paper_out") == 0)
        _warn(printer, "paper_out")
        eventually(lambda: _warned(hub, "paper_out") == 1)
        _tell(printer, NodeTopic.STATUS, NodeStatus(online=False, role=Role.TICKET_PRINTER, version="1", boot="b"))
        eventually(lambda: (_warned(hub, "paper_out"), _warned(hub, "too_small")) == (0, 1))


def test_warnings_that_the_hub_does_not_know_are_one_series(town_hall):
    hub = town_hall
    with node(hub, "screen-1") as screen:
        _tell(screen, NodeTopic.STATUS, NodeStatus(online=True, role=Role.DISPLAY, version="1", boot="b"))
        _warn(screen, "mute", *(f"odd_{number}" for number in range(20)))
        eventually(lambda: (_warned(hub, "mute"), _warned(hub, "other")) == (1, 1))
    assert "odd_" not in hub.hub.metrics.text().decode()


def test_a_button_that_hangs_is_counted_while_it_does(town_hall):
    hub = town_hall
    with node(hub, "button-1") as button:
        _tell(button, NodeTopic.STATUS, NodeStatus(online=True, role=Role.DESK_BUTTON, version="1", boot="b"))
        _tell(button, NodeTopic.TELEMETRY, Telemetry(uptime_s=1, memory_mib=1.0, stuck=(17,)))
        eventually(lambda: _warned(hub, "stuck") == 1)
        _warn(button)
        eventually(lambda: _warned(hub, "stuck") == 0)


def _tell(sender, topic, message):
    sender.peer.publish(sender.topics.node(sender.name, topic), encode(message))


def _warn(sender, *warnings):
    _tell(sender, NodeTopic.TELEMETRY, Telemetry(uptime_s=1, memory_mib=1.0, warnings=warnings))


def _warned(hub, warning):
    return hub.metric(f'suivant_node_warnings{{warning="{warning}"}}')


def test_a_press_so_old_that_the_beat_it_names_is_of_another_age_is_refused(town_hall):
    hub = town_hall
    hub.open("desk-1")
    with node(hub, "button-1") as button:
        assert button.ask(button.press(beat=Instant(0))).code == "too_old"


# --- away and back ------------------------------------------------------------------------------------------------


def test_a_broker_that_comes_back_empty_is_told_everything_anew(hub):
    hub.open("desk-1")
    with node(hub, "printer-1") as printer:
        printer.ticket()
    with observer(hub) as seen:
        before = desk_state(hub, seen, "desk-1", lambda state: state.waiting == 1)
    hub.broker.stop()
    hub.broker.start()
    with observer(hub) as seen:
        after = desk_state(hub, seen, "desk-1", lambda state: state.revision > before.revision)
        assert (after.waiting, after.callable) == (1, True)
    with observer(hub) as newcomer:
        assert hall_state(hub, newcomer, lambda hall: True).waiting[0].count == 1
    with observer(hub) as newcomer:
        assert newcomer.wait_for(hub.topics.node("screen-1", NodeTopic.CONFIG)).retained
    with observer(hub, hub.topics.hub_status) as newcomer:
        assert _hub.parse(newcomer.wait_for(hub.topics.hub_status).payload).online


def test_a_hub_that_starts_again_says_all_with_a_greater_revision_and_goes_on_counting(hub):
    hub.open("desk-1")
    with node(hub, "printer-1") as printer:
        printer.ticket()
    with observer(hub) as seen:
        before = desk_state(hub, seen, "desk-1", lambda state: state.waiting == 1)
        hub.hub.stop()
        off = until(seen, lambda each: matching(_hub, each, hub.topics.hub_status, lambda status: not status.online))
        hub.hub = hub._new()
        hub.hub.start()
        on = until(seen, lambda each: matching(_hub, each, hub.topics.hub_status, lambda status: status.online))
        assert on.boot != off.boot
        after = desk_state(hub, seen, "desk-1", lambda state: state.revision > before.revision)
    assert (after.waiting, after.revision[0]) == (1, before.revision[0])
    with node(hub, "printer-1") as printer:
        assert printer.ticket().number == "A002"


def retained(hub):
    """The state and config topics for which a node that connects now gets a retained message."""
    with observer(hub) as newcomer, node(hub, "printer-1") as printer:
        printer.peer.publish(hub.topics.node("printer-1", NodeTopic.TELEMETRY), b"that was all")
        seen = iter(lambda: newcomer.seen.get(timeout=LIMIT_S), None)
        told = list(takewhile(lambda each: each.payload != b"that was all", seen))
    return {each.topic for each in told if each.retained and each.topic.endswith(("/state", "/config"))}


def to_be_retained(hub, site):
    topics = hub.topics
    pictures = [topics.desk_state(each.name) for each in site.desks] + [topics.hall_state(e.name) for e in site.halls]
    return {*pictures, *(topics.node(each.name, NodeTopic.CONFIG) for each in site.nodes)}


def with_other_names(site):
    """The site with its first hall and desk renamed and all nodes but one removed."""
    moved = partial(moved_to, "hall", "lobby")
    first, *others = site.desks
    return replace(
        site,
        halls=(replace(site.halls[0], name="lobby"), *site.halls[1:]),
        services=tuple(map(moved, site.services)),
        desks=tuple(map(moved, (replace(first, name="desk-9"), *others))),
        nodes=tuple(each for each in site.nodes if each.name == "button-2"),
    )


def moved_to(before, after, part):
    return replace(part, hall=after) if part.hall == before else part


def test_what_a_run_with_another_site_file_left_at_the_broker_is_taken_back_and_nothing_else(hub):
    sites = [hub.site, with_other_names(hub.site), hub.site]
    eventually(lambda: retained(hub) == to_be_retained(hub, hub.site))
    for before, after in pairwise(sites):
        gone = to_be_retained(hub, before) - to_be_retained(hub, after)
        taken_back = set()
        with observer(hub) as seen:
            hub.hub.stop()
            hub.site = after
            hub.hub = hub._new()
            hub.hub.start()
            while taken_back != gone:
                taken_back.add(until(seen, lambda each: None if each.payload else each.topic))
        eventually(lambda after=after: retained(hub) == to_be_retained(hub, after))


def test_a_new_database_begins_a_later_generation_that_every_node_takes(hub, tmp_path_factory):
    with observer(hub) as seen:
        before = desk_state(hub, seen, "desk-1", lambda state: True)
    hub.hub.stop()
    hub.url = sqlite_url(tmp_path_factory.mktemp("new"))
    hub.hub = hub._new()
    hub.hub.start()
    with observer(hub) as seen:
        # The old hub may have published the desk again, after what was read first.
        after = desk_state(hub, seen, "desk-1", lambda state: state.revision[0] != before.revision[0])
    assert after.revision > before.revision


def test_nothing_that_names_or_describes_a_person_goes_over_mqtt(hub):
    hub.open("desk-1")
    now_ms = hub.hub.clock.now_ms()
    hub.take(
        Book(
            booking="dossier-4711",
            reference="dossiers/4711",
            confirmation="DOSSIER4711",
            service="civil",
            appointment_ms=now_ms + MINUTE_MS,
            code="k7",
            name="Zoé Exemple-Inventée",
        )
    )
    said = []

    def calls(seen):
        said.append(f"{seen.topic} {seen.payload.decode()}")
        return matching(_halls, seen, hub.topics.hall_state("hall"), lambda hall: hall.calls)

    with observer(hub) as seen, node(hub, "button-1") as button:
        hub.do(CheckIn(origin=Origin(Source.PAGE, "agente-martin", new_id()), desk="desk-1", ticket=1, priority=True))
        press = button.press()
        assert button.ask(press).number == "A001"
        button.ask(button.press())
        until(seen, calls)
    with observer(hub) as newcomer:
        until(newcomer, calls)
    text = "".join(said)
    assert "A001" in text
    for personal in ("Zoé", "Zo\\u00e9", "Exemple", "dossier-4711", "agente-martin", "priority", "k7"):
        assert personal not in text
    check_all(read(hub.hub.engine, hub.site.name))


def test_the_hub_says_how_it_is(hub):
    eventually(lambda: hub.hub.health().broker is None)
    assert (hub.hub.health().database, hub.hub.health().broker) == (None, None)
    eventually(lambda: hub.metric("suivant_broker_connected") == 1)
    hub.broker.stop()
    eventually(lambda: hub.hub.health().broker is not None)
    assert hub.hub.health().broker == "the broker is not reached"
    assert hub.hub.health().beat is None


def test_a_hub_at_a_broker_with_another_sites_rules_says_so_until_they_are_its_own(hub):
    rules = hub.broker.config.parent / "acl"
    right = rules.read_text(encoding="utf-8")
    hub.broker.stop()
    rules.write_text(right.replace(f"/{hub.site.name}/", "/other-town/"), encoding="utf-8")
    hub.broker.start()
    eventually(lambda: hub.hub.health().broker not in {None, "the broker is not reached"})
    told = f"the broker refuses what the hub says: see that the broker was set up for the site {hub.site.name}, "
    assert hub.hub.health().broker.startswith(told)
    eventually(lambda: hub.metric("suivant_broker_connected") == 0)
    hub.broker.stop()
    rules.write_text(right, encoding="utf-8")
    hub.broker.start()
    eventually(lambda: hub.hub.health().broker is None)
    eventually(lambda: hub.metric("suivant_broker_connected") == 1)


def test_a_node_that_leaves_while_the_broker_is_away_is_not_counted_for_ever(hub):
    status = NodeStatus(online=True, role=Role.DISPLAY, version="1", boot="b")
    with node(hub, "screen-1") as screen:
        screen.peer.publish(hub.topics.node("screen-1", NodeTopic.STATUS), encode(status))
        eventually(lambda: hub.metric('suivant_nodes_online{role="display"}') == 1)
        hub.broker.stop()
    hub.broker.start()
    eventually(lambda: hub.metric("suivant_broker_connected") == 1)
    assert hub.metric('suivant_nodes_online{role="display"}') == 0


def test_a_second_hub_on_the_same_database_is_refused(hub):
    with pytest.raises(SiteTaken, match=hub.site.name):
        hub._new().start()
    with node(hub, "button-1") as button:
        assert isinstance(button.ask(button.press()), Refused)


def test_a_start_whose_first_command_is_never_stored_says_what_keeps_the_hub_waiting(tmp_path, monkeypatch):
    hub = Hub(engine=open_engine(sqlite_url(tmp_path)), site=a_town(), broker=BrokerSettings(), give_up=lambda _: None)
    monkeypatch.setattr(hub.writer, "put_later", lambda _task: None)
    monkeypatch.setattr("hub.chores.ANSWER_LIMIT_S", 0)
    with pytest.raises(
        DatabaseBusy, match=r"suivant.db keeps the hub waiting \(.* did not finish .*\): .* check its disk"
    ):
        hub.start()
    hub.stop()


def test_two_presses_delivered_a_hundred_times_each_call_two_visitors(database_url, tmp_path):
    with standing(database_url, tmp_path, a_town()) as hub:
        hub.open("desk-1", "desk-2")
        with node(hub, "printer-1") as printer, node(hub, "button-1") as one, node(hub, "button-2") as two:
            for _ in range(4):
                printer.ticket()
            presses = {one: one.press(), two: two.press()}
            for _ in range(100):
                for button, press in presses.items():
                    button.peer.client.publish(hub.topics.node(button.name, NodeTopic.REQUEST), encode(press), 1)
            numbers = {button.name: {button.reply().number for _ in range(100)} for button in presses}
        assert sorted(sorted(each) for each in numbers.values()) == [["A001"], ["A002"]]
        check_all(read(hub.hub.engine, hub.site.name))


def test_json_on_the_wire_is_what_the_contract_says(hub):
    hub.open("desk-1")
    with observer(hub, hub.topics.desk_state("desk-1")) as seen:
        state = json.loads(seen.wait_for(hub.topics.desk_state("desk-1")).payload)
    assert state["v"] == 1
    assert isinstance(state["revision"], list)
    assert Press.__struct_config__.tag == "press"


def test_a_postgresql_that_ends_every_connection_costs_an_answer_that_is_asked_for_again_and_no_more(
    postgresql_url, tmp_path
):
    with standing(postgresql_url, tmp_path) as hub:
        hub.open("desk-1")
        with node(hub, "printer-1") as printer, node(hub, "button-1") as button, observer(hub) as seen:
            printer.ticket()
            with hub.hub.engine.connect() as connection:
                connection.exec_driver_sql(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where datname = current_database() and pid <> pg_backend_pid()"
                )
            press = button.press()
            answer = asked_again(button, press)
            assert answer == DeskReply(id=press.id, outcome=DeskOutcome.CALLED, number="A001")
            assert _announces.parse(seen.wait_for(hub.topics.hall_announce("hall")).payload).number == "A001"
            state = desk_state(hub, seen, "desk-1", lambda state: state.number == "A001")
            assert state.waiting == 0
            eventually(lambda: hub.hub.health().database is None)
        assert hub.given_up == []
        check_all(read(hub.hub.engine, hub.site.name))


def test_health_says_that_nothing_is_stored_while_another_program_holds_the_database(
    database_url, tmp_path, monkeypatch
):
    monkeypatch.setattr("hub.app.SLOW_S", 0.1)
    with standing(database_url, tmp_path) as hub, node(hub, "printer-1") as printer:
        other = open_driver_connection(hub.hub.engine)
        other.execute("begin immediate" if hub.hub.engine.dialect.name == "sqlite" else "lock table ticket_event")
        printer.request(IssueTicket(id=new_id(), service="civil"))
        eventually(lambda: "nothing is stored" in (hub.hub.health().database or ""))
        other.rollback()
        other.close()
        eventually(lambda: hub.hub.health().database is None)


def fail_over(engine, *, only_reads):
    """Like a failover to a standby and back: end every connection, and make new ones read-only or not."""
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        name = connection.exec_driver_sql("select current_database()").scalar_one()
        connection.exec_driver_sql("set default_transaction_read_only = off")
        connection.exec_driver_sql(f'alter database "{name}" set default_transaction_read_only = {only_reads}')
        connection.exec_driver_sql(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
        connection.invalidate()


def test_health_says_that_a_database_only_reads_until_it_stores_again_though_nobody_asks_for_anything(
    postgresql_url, tmp_path
):
    with standing(postgresql_url, tmp_path) as hub, node(hub, "printer-1") as printer:
        printer.ticket()
        fail_over(hub.hub.engine, only_reads=True)
        printer.request(IssueTicket(id=new_id(), service="civil"))
        eventually(lambda: "cannot be written" in (hub.hub.health().database or ""))
        assert "cannot be written" in (hub.hub.health().database or "")
        fail_over(hub.hub.engine, only_reads=False)
        eventually(lambda: hub.hub.health().database is None)
        check_all(read(hub.hub.engine, hub.site.name))


def test_health_that_is_asked_while_another_tries_to_store_keeps_nothing_of_each_asking(tmp_path):
    with standing(sqlite_url(tmp_path), tmp_path) as hub:
        hub.hub.writer.fault = fault = DatabaseBusy("suivant.db", "locked")
        with hub.hub._trying:
            said = {hub.hub.health().database for _ in range(3)}
        assert said == {str(fault)}
        assert len(list(walk_tb(fault.__traceback__))) == 2
        assert hub.hub.health().database is None


def test_a_hub_whose_file_was_moved_away_says_so_and_gives_up(tmp_path):
    with standing(sqlite_url(tmp_path), tmp_path) as hub:
        (tmp_path / "suivant.db").rename(tmp_path / "moved.db")
        eventually(lambda: hub.given_up)
        assert "suivant.db is not the one" in hub.given_up[0]
        assert hub.hub.health().database == hub.given_up[0]
        assert hub.hub.file_replaced, "started again by itself, it would serve an empty one"


def asked_again(button, request):
    """Resend the request until it is answered, as a node does."""
    for _ in range(10):
        button.request(request)
        try:
            return _replies.parse(button.peer.wait_for(hub_reply(button), 1.0).payload)
        except queue.Empty:
            continue
    raise AssertionError("never answered")


def hub_reply(button):
    return button.topics.node(button.name, NodeTopic.REPLY)


def test_a_hub_on_a_machine_that_starts_with_its_clock_far_back_takes_presses_at_once(database_url, tmp_path):
    year_ms = 365 * 86_400_000
    with standing(database_url, tmp_path) as hub:
        hub.open("desk-1")
        with node(hub, "printer-1") as printer, node(hub, "button-1") as button:
            printer.ticket()
            printer.ticket()
            assert button.ask(button.press()).number == "A001"
        last = read(hub.hub.engine, hub.site.name).events[-1]["at_ms"]
        hub.clock = Clock(lambda: time.time_ns() - year_ms * 1_000_000)
        hub.restart()
        with node(hub, "button-1") as button, observer(hub, hub.topics.hub_beat) as seen:
            beat = beat_of(seen, hub.topics)
            assert beat >= last
            answer = button.ask(button.press(beat=beat, since_ms=3_000))
            assert (answer.outcome, answer.number) == (DeskOutcome.CALLED, "A002")
        moments = [each["at_ms"] for each in read(hub.hub.engine, hub.site.name).events]
        assert moments == sorted(moments)
