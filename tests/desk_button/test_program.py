"""The real program, in a separate process, with the real broker and mock pins."""

import queue
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median

import pytest

from protocol.messages import (
    CommandKind,
    DeskMode,
    DeskOutcome,
    DeskRequest,
    NodeCommand,
    NodeStatus,
    Parser,
    Press,
    Recall,
)
from protocol.topics import NodeTopic
from tests.broker import Broker
from tests.desk_button.hub import StandInHub, stand_in_hub
from tests.desk_button.program import ButtonProgram, button_program
from tests.proxy import Way, proxy_to

STATUS: Parser[NodeStatus] = Parser(NodeStatus)
COMMAND_ID = "01a21031-8a10-7e8e-a616-72430b72a20e"


@pytest.fixture
def button(broker: Broker, hub: StandInHub, tmp_path: Path) -> Iterator[ButtonProgram]:
    """A program past its self-test, at a closed desk: the lamp is dark and shows only what the test causes."""
    with button_program(tmp_path / "button", broker.environ("desk-1")) as program:
        at_closed_desk(program, hub)
        yield program


@pytest.fixture
def started(broker: Broker, hub: StandInHub, tmp_path: Path) -> Iterator[ButtonProgram]:
    """A program that is configured and has a beat, but is still in its self-test."""
    with button_program(tmp_path / "button", broker.environ("desk-1")) as program:
        program.logged("node.configured")
        program.logged("hub.heard")
        yield program


def at_closed_desk(program: ButtonProgram, hub: StandInHub) -> None:
    """Wait until the lamp, lit and dark in the self-test, is lit for an open desk; then close it and wait for dark."""
    program.logged("hub.heard")
    program.next_flash(True)
    program.next_flash(False)
    program.next_flash(True)
    hub.desk(mode=DeskMode.CLOSED)
    program.next_flash(False)


def test_a_press_becomes_a_request_and_its_answer_lights_the_lamp(hub: StandInHub, button: ButtonProgram):
    button.press()
    request = hub.request()
    assert isinstance(request, Press)
    assert 0 <= hub.now_ms() - request.at_ms < 5_000
    button.next_flash(True)
    hub.answer(request)
    # Without an answer the lamp blinks for 0.25 s; another answer lights it for 0.6 s at most, and this one for 1.5 s.
    assert last_lit_s(button) > 1.0


def test_a_long_press_asks_for_the_call_again(hub: StandInHub, started: ButtonProgram):
    started.press(held_s=1.4)
    assert isinstance(hub.request(), Recall)


def test_the_same_request_comes_again_until_it_is_answered(hub: StandInHub, started: ButtonProgram):
    started.press()
    first, second = hub.request(), hub.request()
    assert first == second


def test_an_answer_delivered_three_times_counts_once(hub: StandInHub, started: ButtonProgram):
    started.press()
    first = hub.request()
    for _ in range(3):
        hub.answer(first, DeskOutcome.NOTHING)
    second = pressed_anew(hub, started, first)
    hub.answer(first)
    assert hub.request() == second


def test_a_press_while_the_broker_restarts_still_counts_once(broker: Broker, tmp_path: Path):
    with stand_in_hub(broker) as hub, button_program(tmp_path / "button", broker.environ("desk-1")) as button:
        button.logged("hub.heard")
        broker.stop()
        button.logged("broker.lost")
        button.press()
        broker.start()
        hub.close()
        with stand_in_hub(broker) as again:
            assert isinstance(again.request(), Press)


def test_a_link_that_stalls_for_fourteen_seconds_delivers_a_press_too_old_to_be_taken(broker: Broker, tmp_path: Path):
    """The press is dated by the hub's beat, so the hub can tell its age; the button has blinked 'not taken'."""
    with (
        stand_in_hub(broker) as hub,
        proxy_to(broker.port) as proxy,
        button_program(tmp_path / "button", broker.environ("desk-1", port=proxy.port)) as button,
    ):
        at_closed_desk(button, hub)
        proxy.be(Way.STALLED)
        pressed_s = time.monotonic()
        button.press()
        not_taken_s = short_flashes(button, pressed_s + 10)
        time.sleep(max(pressed_s + 14 - time.monotonic(), 0))
        proxy.be(Way.OPEN)
        request = hub.request()
        assert hub.now_ms() - request.at_ms > 13_000
        assert not_taken_s < 2
        hub.answer(request)
        fresh = pressed_anew(hub, button, request)
        assert hub.now_ms() - fresh.at_ms < 5_000


def pressed_anew(hub: StandInHub, button: ButtonProgram, before: DeskRequest) -> DeskRequest:
    """The request of a press made after `before`; presses again as somebody does who gets no response."""
    for _ in range(5):
        button.press()
        with suppress(queue.Empty):
            while (request := hub.request(timeout_s=1)).id == before.id:
                pass
            return request
    raise TimeoutError("no press was heard")


def last_lit_s(button: ButtonProgram) -> float:
    """How long the lamp was lit before it stayed dark, in s; it may be lit already."""
    lit_s, lit_since_s = 0.0, time.monotonic()
    while True:
        try:
            change = button.lamp.get(timeout=3)
        except queue.Empty:
            return lit_s
        if change.on:
            lit_since_s = change.at_s
        else:
            lit_s = change.at_s - lit_since_s


def short_flashes(button: ButtonProgram, after_s: float) -> float:
    """Wait for the lamp to flash shortly after a moment and then to rest; returns how long after it that began, in s.

    These are six flashes of 0.15 s. Those before them, of a press that is not answered yet, last 0.25 s. A slow machine
    may lengthen or merge some flashes of either kind, but not half of them. One flash of the press may still begin
    after the moment.
    """
    flashes: list[tuple[float, float]] = []
    patience_s = 20.0
    while True:
        try:
            begun = button.next_flash(True, patience_s)
        except queue.Empty:
            break
        flashes.append((begun.at_s, button.next_flash(False).at_s - begun.at_s))
        patience_s = 1.0 if begun.at_s >= after_s else 20.0
    before = [lasted_s for begun_s, lasted_s in flashes if begun_s < after_s]
    after = [lasted_s for begun_s, lasted_s in flashes if begun_s >= after_s]
    assert median(after) < 0.2 < median(before)
    assert len(after) <= 6 + 1
    return flashes[-len(after)][0] - after_s


def test_it_says_goodbye_when_it_is_stopped(hub: StandInHub, started: ButtonProgram):
    assert STATUS.parse(hub.peer.wait_for(hub.node_topic(NodeTopic.STATUS)).payload).online
    assert started.terminate() == 0
    assert not STATUS.parse(hub.peer.wait_for(hub.node_topic(NodeTopic.STATUS)).payload).online


def test_its_will_says_so_when_it_is_killed(hub: StandInHub, started: ButtonProgram):
    assert STATUS.parse(hub.peer.wait_for(hub.node_topic(NodeTopic.STATUS)).payload).online
    started.close()
    assert not STATUS.parse(hub.peer.wait_for(hub.node_topic(NodeTopic.STATUS)).payload).online


def test_a_commanded_restart_ends_it_with_the_status_systemd_starts_it_after(hub: StandInHub, started: ButtonProgram):
    hub.say(NodeTopic.COMMAND, NodeCommand(id=COMMAND_ID, command=CommandKind.RESTART))
    assert started.wait() == 75


def test_nonsense_on_every_topic_it_reads_stops_nothing(hub: StandInHub, started: ButtonProgram):
    for topic in (NodeTopic.REPLY, NodeTopic.CONFIG, NodeTopic.COMMAND):
        for payload in (b"", b"\xff", b"{}", b"[" * 5_000, b"x" * 17_000):
            hub.peer.publish(hub.node_topic(topic), payload)
    for payload in (b"", b"null", b'{"v":1}'):
        hub.peer.publish(hub.topics.hub_beat, payload)
        hub.peer.publish(hub.topics.desk_state("guichet-1"), payload)
    started.press()
    assert isinstance(hub.request(), Press)


def test_two_hands_on_the_control_socket_see_the_same_lamp(hub: StandInHub, button: ButtonProgram):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as second:
        second.connect(str(button.folder / "control.sock"))
        second.settimeout(10)
        assert second.recv(1_000) == b'{"led":27,"on":false}\n'


def test_systemd_hears_that_it_is_ready_and_alive(broker: Broker, tmp_path: Path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(10)
        told = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "900000"}
        with button_program(tmp_path / "button", broker.environ("desk-1") | told) as button:
            assert [systemd.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
            button.terminate()
        heard = [systemd.recv(100)]
        while heard[-1] == b"WATCHDOG=1":
            heard.append(systemd.recv(100))
        assert heard[-1] == b"STOPPING=1"


def suivant_node(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nodes", *arguments],
        env=environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_wrong_setting_stops_it_with_one_sentence():
    ended = suivant_node("desk-button", SUIVANT_NODE="Desk 1", SUIVANT_SITE="mairie")
    assert ended.returncode == 2
    assert ended.stderr == (
        "suivant-node desk-button: SUIVANT_NODE is 'Desk 1': it should be at most 32 lower-case letters, digits and "
        "hyphens, such as button-3.\n"
    )


def test_a_broker_elsewhere_without_certificates_is_refused(tmp_path: Path):
    ended = suivant_node(
        "desk-button",
        SUIVANT_NODE="desk-1",
        SUIVANT_SITE="mairie",
        SUIVANT_STATE_DIR=str(tmp_path),
        SUIVANT_BROKER_HOST="broker.example",
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("suivant-node desk-button: SUIVANT_BROKER_HOST is 'broker.example'")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("factory", "status", "said"),
    [
        ("nonsense", 2, "GPIOZERO_PIN_FACTORY is 'nonsense'"),
        # At boot the system may make the pins available a moment later: systemd tries again.
        ("", 75, "the GPIO pins cannot be used"),
        ("native", 75, "the GPIO pins cannot be used"),
    ],
)
def test_a_machine_without_pins_is_told_how_to_go_on(tmp_path: Path, factory: str, status: int, said: str):
    ended = suivant_node(
        "desk-button",
        SUIVANT_NODE="desk-1",
        SUIVANT_SITE="mairie",
        SUIVANT_STATE_DIR=str(tmp_path),
        GPIOZERO_PIN_FACTORY=factory,
    )
    assert ended.returncode == status
    assert ended.stderr.startswith(f"suivant-node desk-button: {said}")
    assert "lgpio" in ended.stderr
    assert "--simulated" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_the_help_names_every_setting():
    shown = suivant_node("desk-button", "--help")
    assert shown.returncode == 0
    for variable in (
        "SUIVANT_NODE",
        "SUIVANT_SITE",
        "SUIVANT_STATE_DIR",
        "SUIVANT_BROKER_HOST",
        "SUIVANT_BROKER_KEY_FILE",
    ):
        assert variable in shown.stdout


def test_the_help_of_all_names_the_roles():
    shown = suivant_node("--help")
    for role in ("desk-button", "display", "ticket-printer"):
        assert role in shown.stdout


def test_a_button_needs_neither_a_screen_nor_a_printer():
    wanted = "import sys, nodes.desk_button.app; print({'pygame', 'escpos', 'PIL', 'sqlalchemy'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", wanted], capture_output=True, text=True, check=True, timeout=30)
    assert ended.stdout == "set()\n"
