"""What the hub guarantees at its end of the link to the broker; no broker runs here."""

import pytest
from structlog.testing import capture_logs

from hub.metrics import Metrics
from hub.mqtt import broker, senders
from hub.mqtt.broker import Broker
from hub.site_index import SiteIndex
from nodes.ticket_printer.core import TELL_AGAIN_MS
from nodes.ticket_printer.spool import ENTRIES_MOST
from protocol.link import BrokerSettings, Incoming, LinkDown, LinkUp, PublishRefused
from protocol.messages import BEAT_LOST_MS, ECHO_PERIOD_MS, Abandon, Echo, IssueTicket, Telemetry, encode
from protocol.topics import NodeTopic
from tests.hub.standing import a_town, eventually, new_id
from tests.queue.harness import only


@pytest.fixture
def connections():
    """Gets one entry each time the hub reports that it is connected."""
    return []


@pytest.fixture
def hub_broker(connections):
    made = Broker(
        settings=BrokerSettings(port=1),
        index=SiteIndex(a_town()),
        version="1",
        boot="b",
        now_ms=lambda: 0,
        new_code=lambda: "code",
        put=lambda entry: None,
        connected=lambda: connections.append(1),
        give_up=lambda reason: None,
        metrics=Metrics("1"),
    )
    yield made
    made.stop()


def test_a_connection_is_heard_of_however_many_messages_stand_before_it(hub_broker, connections):
    telemetry = Incoming("suivant/1/elsewhere/node/screen-1/telemetry", b"", False, 0)
    for _ in range(broker.INBOX_MOST + 1):
        hub_broker._deliver(telemetry)
    hub_broker._deliver(LinkUp())
    hub_broker._thread.start()
    eventually(lambda: connections == [1])


def test_nothing_is_said_before_the_nodes_know_which_run_speaks(hub_broker, monkeypatch):
    """Nodes forget what another run of the hub said, so no node would show or say a call published earlier."""
    said = []
    monkeypatch.setattr(hub_broker.link, "publish", lambda topic, *_given, **_named: said.append(topic) or True)
    assert not hub_broker.publish("a picture", b"")
    hub_broker._handle(LinkUp())
    assert hub_broker.publish("a picture", b"")
    assert (said[0], said[-1], said.count("a picture")) == (hub_broker._topics.hub_status, "a picture", 1)


# Retained topics of a desk, a hall and a node that `a_town` does not have.
LEFT = tuple(f"suivant/1/SITE/{each}" for each in ("desk/desk-99/state", "hall/lobby/state", "node/screen-9/config"))


@pytest.fixture
def at_broker(hub_broker, monkeypatch):
    """Records what the hub publishes, and when it subscribes to the retained topics or unsubscribes from them."""
    done = []
    link, filters = hub_broker.link, hub_broker._leftovers.filters
    monkeypatch.setattr(link, "publish", lambda topic, payload, **_named: done.append((topic, payload)) or True)
    monkeypatch.setattr(link, "subscribe", lambda asked, **_named: done.append("asks") if asked == filters else None)
    monkeypatch.setattr(link, "unsubscribe", lambda left: done.append("lets go") if left == filters else None)
    return done


def arrives(hub_broker, topic, payload=b"{}", *, is_retained=True):
    hub_broker._deliver(Incoming(topic.replace("SITE", hub_broker._index.site.name), payload, is_retained, 0))
    while hub_broker._inbox.qsize():
        hub_broker._handle(hub_broker._inbox.get_nowait())


def test_what_an_earlier_site_file_left_is_taken_back(hub_broker, at_broker):
    for topic in LEFT:
        arrives(hub_broker, topic)
    assert at_broker == [(topic.replace("SITE", hub_broker._index.site.name), b"") for topic in LEFT]


@pytest.mark.parametrize(
    "topic",
    [
        *("suivant/1/SITE/desk/desk-1/state", "suivant/1/SITE/hall/hall/state", "suivant/1/SITE/node/screen-1/config"),
        *(each.replace("SITE", "elsewhere") for each in LEFT),
        "suivant/1/SITE/node/screen-9/status",
        "suivant/1/SITE/hub/status",
    ],
)
def test_what_is_the_sites_own_or_anothers_is_never_taken_back(hub_broker, at_broker, topic):
    arrives(hub_broker, topic)
    assert at_broker == []


def test_what_is_taken_back_already_or_said_only_now_is_left_alone(hub_broker, at_broker):
    for topic in LEFT:
        arrives(hub_broker, topic, b"", is_retained=False)
        arrives(hub_broker, topic, is_retained=False)
    assert at_broker == []
    assert hub_broker._metrics.registry.get_sample_value("suivant_bad_messages_total", {"reason": "wrong_topic"}) == 0


def test_at_each_connection_it_greets_then_asks_what_the_broker_has_until_its_echo_is_back(hub_broker, at_broker):
    for _ in range(2):
        at_broker.clear()
        hub_broker._handle(LinkUp())
        assert at_broker[0] == (hub_broker._topics.hub_status, encode(hub_broker._status(online=True)))
        assert at_broker[-1] == "asks"
        arrives(hub_broker, hub_broker._topics.hub_echo, encode(Echo(count=1)), is_retained=False)
        assert at_broker[-1] == "lets go"
        hub_broker._handle(LinkDown("the connection was lost"))
        assert at_broker[-1] == "lets go"


def warns_of(hub_broker, node):
    warning = Telemetry(uptime_s=1, memory_mib=1.0, warnings=("paper_out",))
    return Incoming(hub_broker._topics.node(node, NodeTopic.TELEMETRY), encode(warning), False, 0)


def test_a_node_that_floods_is_heard_now_and_then_and_the_others_and_the_own_echo_at_once(hub_broker):
    echo = Incoming(hub_broker._topics.hub_echo, encode(Echo(count=1)), False, 0)
    with capture_logs() as lines:
        for _ in range(2 * broker.INBOX_MOST):
            hub_broker._deliver(warns_of(hub_broker, "printer-1"))
        hub_broker._deliver(warns_of(hub_broker, "screen-1"))
        hub_broker._deliver(echo)
    heard = [hub_broker._inbox.get_nowait().topic for _ in range(hub_broker._inbox.qsize())]
    flooding = warns_of(hub_broker, "printer-1").topic
    assert heard == [flooding] * broker.SAID_MOST + [warns_of(hub_broker, "screen-1").topic, echo.topic]
    assert len(lines) == senders.BAD_LINES_MOST
    dropped = 2.0 * broker.INBOX_MOST - broker.SAID_MOST
    assert f'suivant_bad_messages_total{{reason="too_many"}} {dropped}' in hub_broker._metrics.text().decode()


def test_a_node_that_flooded_is_heard_again_when_it_is_calm(hub_broker, monkeypatch):
    for _ in range(2 * broker.SAID_MOST):
        hub_broker._deliver(warns_of(hub_broker, "printer-1"))
    later_ms = broker.monotonic_ms() + broker.SAID_WITHIN_MS
    monkeypatch.setattr(broker, "monotonic_ms", lambda: later_ms)
    hub_broker._deliver(warns_of(hub_broker, "printer-1"))
    assert hub_broker._inbox.qsize() == broker.SAID_MOST + 1


def an_abandon(hub_broker, node):
    topic = hub_broker._topics.node(node, NodeTopic.REQUEST)
    return Incoming(topic, encode(Abandon(id=new_id(), of=new_id())), False, 0)


def test_of_a_node_that_floods_with_requests_the_writer_gets_a_few_and_those_of_others_at_once(hub_broker):
    entries = []
    hub_broker._put = entries.append
    flood, sent = an_abandon(hub_broker, "printer-1"), 10 * broker.REQUESTS_MOST
    with capture_logs() as lines:
        for _ in range(sent):
            hub_broker._deliver(flood)
        hub_broker._deliver(an_abandon(hub_broker, "button-1"))
    assert len(entries) == broker.REQUESTS_MOST + 1
    assert [line["event"] for line in lines] == ["message.refused"] * senders.BAD_LINES_MOST
    counted = f'suivant_bad_messages_total{{reason="too_many"}} {sent - broker.REQUESTS_MOST}.0'
    assert counted in hub_broker._metrics.text().decode()


def test_a_flood_of_telemetry_stops_no_request_of_the_same_node(hub_broker):
    entries = []
    hub_broker._put = entries.append
    for _ in range(2 * broker.INBOX_MOST):
        hub_broker._deliver(warns_of(hub_broker, "printer-1"))
    hub_broker._deliver(an_abandon(hub_broker, "printer-1"))
    assert len(entries) == 1


def test_a_dispenser_that_tells_its_whole_queue_again_and_again_is_heard(hub_broker, monkeypatch):
    """It tells all at each connection, and again each 5 s until it is answered."""
    entries, moment_ms = [], broker.monotonic_ms()
    hub_broker._put = entries.append
    monkeypatch.setattr(broker, "monotonic_ms", lambda: moment_ms)
    flood, told_at_ms = an_abandon(hub_broker, "printer-1"), (0, 1_000, *range(6_000, 60_000, TELL_AGAIN_MS))
    begun_ms = moment_ms
    for at_ms in told_at_ms:
        moment_ms = begun_ms + at_ms
        for _ in range(ENTRIES_MOST):
            hub_broker._deliver(flood)
    assert len(entries) == ENTRIES_MOST * len(told_at_ms)


def test_a_beat_that_fails_once_does_not_end_the_beats(hub_broker, monkeypatch):
    tried = []

    def beat():
        tried.append(1)
        if len(tried) == 1:
            raise OSError("no such thing")

    monkeypatch.setattr(hub_broker, "_beat", beat)
    monkeypatch.setattr(broker, "BEAT_PERIOD_MS", 0)
    hub_broker._thread.start()
    for _ in range(3):
        hub_broker._deliver(LinkUp())
    eventually(lambda: len(tried) >= 3)


@pytest.mark.parametrize(("ends_in_days", "warned_of"), [(30, []), (29, [29]), (0, [0])])
def test_a_month_before_its_certificate_ends_the_broker_is_warned_of(hub_broker, ends_in_days, warned_of):
    ends_s = ends_in_days * 24 * 3600 + 60
    with capture_logs() as lines:
        hub_broker._handle(LinkUp(ends_s))
        hub_broker._tick()
        hub_broker._tick()
    assert [line["days_left"] for line in lines if line["event"] == "broker.certificate_ends"] == warned_of
    assert hub_broker._metrics.registry.get_sample_value("suivant_broker_certificate_ends_seconds") == ends_s


def test_a_certificate_that_ends_is_said_each_day(hub_broker, monkeypatch):
    hub_broker._handle(LinkUp(60))
    moment_ms = broker.monotonic_ms()
    with capture_logs() as lines:
        for day in range(3):
            later_ms = moment_ms + day * 24 * 3_600_000
            monkeypatch.setattr(broker, "monotonic_ms", lambda later_ms=later_ms: later_ms)
            hub_broker._tick()
    assert [line["event"] for line in lines].count("broker.certificate_ends") == 3


def test_a_certificate_that_ends_is_said_once_on_a_line_that_breaks_each_time_and_anew_of_another_one(hub_broker):
    with capture_logs() as lines:
        for ends_s in (60, 60, 60, 24 * 3600):
            hub_broker._handle(LinkUp(ends_s))
            hub_broker._tick()
            hub_broker._handle(LinkDown("the connection was lost"))
    assert [line["days_left"] for line in lines if line["event"] == "broker.certificate_ends"] == [0, 1]


def test_a_broker_that_is_away_is_a_line_a_reason_and_not_a_time(hub_broker):
    refused, down = LinkDown("cannot reach 127.0.0.1:1883"), LinkDown("the connection was lost")
    lasted = LinkDown(down.reason, lasted=True)
    with capture_logs() as lines:
        for event in (LinkUp(), down, *[refused] * 4_000, LinkUp(), *[lasted, LinkUp()] * 2):
            hub_broker._handle(event)
    assert [(line["event"], line.get("reason")) for line in lines] == [
        ("broker.connected", None),
        ("broker.lost", down.reason),
        ("broker.lost", refused.reason),
        *[("broker.connected", None), ("broker.lost", down.reason)] * 2,
        ("broker.connected", None),
    ]


def test_a_stop_is_not_said_to_have_lost_the_broker(hub_broker):
    with capture_logs() as lines:
        hub_broker._handle(LinkUp())
        hub_broker.stop()
        hub_broker._handle(LinkDown("Normal disconnection"))
    assert [line["event"] for line in lines] == ["broker.connected"]


def test_a_hub_that_may_not_write_its_own_sites_topics_is_told_to_look_at_its_site(hub_broker):
    with capture_logs() as lines:
        hub_broker._handle(PublishRefused("Not authorized"))
    refused = only(lines)
    assert (refused["event"], refused["reason"]) == ("broker.refused_publication", "Not authorized")
    assert f"set up for the site {hub_broker._index.site.name}, " in refused["do"]


def test_what_the_broker_refuses_is_said_once_until_it_takes_something(hub_broker, at_broker):
    with capture_logs() as lines:
        for _ in range(2):
            hub_broker._handle(LinkUp())
            for _ in range(25):
                hub_broker._handle(PublishRefused("Not authorized"))
            hub_broker._handle(LinkDown("no echo came back from the broker for 15 s"))
        hub_broker._handle(LinkUp())
        hub_broker._tick()
        arrives(hub_broker, hub_broker._topics.hub_echo, encode(Echo(count=1)), is_retained=False)
        hub_broker._handle(PublishRefused("Not authorized"))
    assert [line["event"] for line in lines].count("broker.refused_publication") == 2


def greetings(hub_broker, at_broker):
    return sum(each[0] == hub_broker._topics.hub_status for each in at_broker)


def test_what_the_broker_refused_is_said_again_once_it_takes_what_the_hub_says(hub_broker, at_broker, monkeypatch):
    """As when the broker reloads its access rules while the connection stays up."""
    moment_ms = broker.monotonic_ms()
    monkeypatch.setattr(broker, "monotonic_ms", lambda: moment_ms)
    hub_broker._handle(LinkUp())
    hub_broker._handle(PublishRefused("Not authorized"))
    hub_broker._tick()
    moment_ms += ECHO_PERIOD_MS
    hub_broker._tick()
    assert greetings(hub_broker, at_broker) == 1
    arrives(hub_broker, hub_broker._topics.hub_echo, encode(Echo(count=2)), is_retained=False)
    assert greetings(hub_broker, at_broker) == 2


def test_a_hub_of_which_one_topic_alone_is_refused_greets_once_a_connection(hub_broker, at_broker, monkeypatch):
    moment_ms = broker.monotonic_ms()
    monkeypatch.setattr(broker, "monotonic_ms", lambda: moment_ms)
    for connection in range(3):
        hub_broker._handle(LinkUp())
        for _ in range(5):
            hub_broker._handle(PublishRefused("Not authorized"))
            hub_broker._tick()
            echo = Echo(count=hub_broker._heartbeat._count)
            arrives(hub_broker, hub_broker._topics.hub_echo, encode(echo), is_retained=False)
            moment_ms += ECHO_PERIOD_MS
        hub_broker._tick()
        assert greetings(hub_broker, at_broker) == connection + 1
        hub_broker._handle(LinkDown("the connection was lost"))


def test_without_tls_no_certificate_is_spoken_of(hub_broker):
    with capture_logs() as lines:
        hub_broker._handle(LinkUp())
        hub_broker._tick()
    assert "broker.certificate_ends" not in [line["event"] for line in lines]
    assert "suivant_broker_certificate_ends_seconds NaN" in hub_broker._metrics.text().decode()


def test_a_node_that_sends_nothing_but_nonsense_is_counted_and_fills_no_log(hub_broker):
    with capture_logs() as lines:
        for _ in range(3 * senders.BAD_LINES_MOST):
            hub_broker._hear(Incoming("suivant/1/elsewhere/node/screen-1/telemetry", b"", False, 0))
    assert [line["event"] for line in lines] == ["message.refused"] * senders.BAD_LINES_MOST
    counted = f'suivant_bad_messages_total{{reason="wrong_site"}} {3.0 * senders.BAD_LINES_MOST}'
    assert counted in hub_broker._metrics.text().decode()


def test_a_hub_that_does_not_beat_any_more_says_so(hub_broker, monkeypatch):
    assert hub_broker.silence is None
    moment_ms = broker.monotonic_ms() + BEAT_LOST_MS
    monkeypatch.setattr(broker, "monotonic_ms", lambda: moment_ms)
    assert hub_broker.silence == "no beat was sent for 15 s, so nodes take the hub for away: start it anew"


def test_a_node_waits_for_its_answer_from_when_its_request_arrived(hub_broker):
    """This counts the time in the writer's queue, because nobody wants the answer to a request that is done late."""
    entries = []
    hub_broker._put = entries.append
    topic = hub_broker._topics.node("printer-1", NodeTopic.REQUEST)
    request = IssueTicket(id=new_id(), service="civil")
    hub_broker._deliver(Incoming(topic, encode(request), False, 5_000))
    assert entries[0]().since_s == 5.0
