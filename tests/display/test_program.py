"""The real program against the real broker; a bare client stands in for the hub."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pygame
import pytest

from nodes.display.pictures import EMERGENCY, HALL
from nodes.display.sound import RATE_HZ
from nodes.display.words import WordsSettings, words_in
from nodes.runtime import RESTART_STATUS
from protocol.environment import read
from protocol.instants import Instant
from protocol.messages import Beat, DisplayConfig, Parser, Telemetry, encode
from protocol.topics import NodeTopic, Topics
from tests.broker import SITE, Broker, Peer, peer
from tests.display.scenes import announce, hall
from tests.proxy import Way, proxy_to

NODE = "display-1"
TOPICS = Topics(SITE)
WAIT_S = 20
CONFIG = DisplayConfig(revision=(1, 1), hall=HALL.hall, town=HALL.town, letters="ACFM")
PAPER = (0xFF, 0xFA, 0xF0)
EMERGENCY_YELLOW = (0xFF, 0xD6, 0x0A)
ROW = (0x1E, 0x30, 0x3E)
# A point on a call's ticket, before its number. At rest an older row is there, before the first picture the background.
PLACE = (60, 500)


def now() -> Instant:
    return Instant(time.time_ns() // 1_000_000)


@dataclass(slots=True)
class Program:
    """The display program, and what it writes to its control socket."""

    process: subprocess.Popen[bytes]
    folder: Path
    lines: Iterator[str]

    def frame(self) -> pygame.Surface:
        """Wait for the next frame that changed something."""
        assert "frame" in json.loads(next(self.lines))
        return pygame.image.load(self.folder / "frame.png")

    def until(self, place: tuple[int, int], colour: tuple[int, int, int]) -> pygame.Surface:
        """Wait for the first frame that has this colour at this place."""
        until = time.monotonic() + WAIT_S
        while True:
            frame = self.frame()
            if frame.get_at(place)[:3] == colour:
                return frame
            assert time.monotonic() < until

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(WAIT_S)


@contextmanager
def running(broker: Broker, folder: Path, **more: str) -> Iterator[Program]:
    simulated = folder / "simulated"
    environ = (
        os.environ
        | broker.environ(NODE)
        | {
            "SUIVANT_NODE": NODE,
            "SUIVANT_SITE": SITE,
            "SUIVANT_STATE_DIR": str(folder / "state"),
        }
        | more
    )
    process = subprocess.Popen([sys.executable, "-m", "nodes", "display", "--simulated", str(simulated)], env=environ)
    try:
        with _control(simulated / "control.sock", process) as control, control.makefile() as lines:
            yield Program(process, simulated, iter(lines))
    finally:
        process.kill()
        process.wait()


def _control(path: Path, process: subprocess.Popen[bytes]) -> socket.socket:
    until = time.monotonic() + WAIT_S
    while True:
        control = socket.socket(socket.AF_UNIX)
        control.settimeout(WAIT_S)
        try:
            control.connect(str(path))
        except OSError:
            control.close()
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
        else:
            return control


@pytest.fixture
def hub(broker) -> Iterator[Peer]:
    with peer(broker, "hub") as made:
        made.publish(TOPICS.node(NODE, NodeTopic.CONFIG), encode(CONFIG), retain=True)
        made.publish(TOPICS.hall_state(HALL.hall), encode(HALL), retain=True)
        yield made


def beat(hub: Peer) -> None:
    hub.client.publish(TOPICS.hub_beat, encode(Beat(at=now())), 0)


def settled(hub: Peer, display: Program) -> None:
    """Wait until the display shows its hall, and so receives its announcements; then tell it the time."""
    display.until(PLACE, ROW)
    beat(hub)


def say(hub: Peer, **more: object) -> None:
    hub.publish(TOPICS.hall_announce(HALL.hall), encode(announce(play_at=now() + 100, **more)))


def chimes(sound: Path) -> list[float]:
    """When each chime began, in seconds of the recording."""
    recorded = array("h")
    recorded.frombytes(sound.read_bytes()[: sound.stat().st_size // 4 * 4])
    loud = [frame for frame in range(0, len(recorded) // 2, 48) if abs(recorded[2 * frame]) > 500]
    return [
        frame / RATE_HZ for before, frame in zip([-RATE_HZ, *loud], loud, strict=False) if frame - before > RATE_HZ // 4
    ]


def test_a_call_goes_from_the_broker_to_the_screen_and_sounds_once_ever(broker, hub, tmp_path):
    sound = tmp_path / "sound.raw"
    audio = {"SDL_AUDIODRIVER": "disk", "SDL_DISKAUDIOFILE": str(sound)}
    with running(broker, tmp_path, **audio) as display:
        settled(hub, display)
        say(hub, length_ms=2_500)
        say(hub, length_ms=2_500)
        display.until(PLACE, PAPER)
        display.until(PLACE, ROW)
        assert display.stop() == 0
    assert len(chimes(sound)) == 1
    sound.unlink()
    # Without its kept picture, so that the first picture proves that the display receives its hall.
    (tmp_path / "state" / SITE / NODE / "hall.json").unlink()
    with running(broker, tmp_path, **audio) as display:
        settled(hub, display)
        say(hub, length_ms=2_500)
        # The display leaves the first call unsaid. The test waits for this second one, which comes after it.
        say(hub, number="C031", n=41, length_ms=2_500)
        display.until(PLACE, PAPER)
        display.until(PLACE, ROW)
        assert display.stop() == 0
    assert len(chimes(sound)) == 1


def test_a_call_that_is_made_while_the_link_is_lost_comes_to_the_screen(broker, hub, tmp_path):
    with (
        proxy_to(broker.port) as proxy,
        running(broker, tmp_path, **broker.environ(NODE, port=proxy.port)) as display,
    ):
        settled(hub, display)
        display.frame()  # the time is known: a frame without the band about the picture's age
        proxy.be(Way.STALLED)
        proxy.cut()
        say(hub, length_ms=60_000)
        proxy.be(Way.OPEN)
        display.until(PLACE, PAPER)


def test_a_withdrawn_call_leaves_the_screen_while_it_is_said(broker, hub, tmp_path):
    with running(broker, tmp_path) as display:
        settled(hub, display)
        say(hub, length_ms=60_000)
        display.until(PLACE, PAPER)
        hub.publish(TOPICS.hall_state(HALL.hall), encode(hall(41, calls=HALL.calls[1:])), retain=True)
        display.until(PLACE, ROW)


def test_an_emergency_covers_a_running_call(broker, hub, tmp_path):
    with running(broker, tmp_path) as display:
        settled(hub, display)
        say(hub, length_ms=60_000)
        display.until(PLACE, PAPER)
        hub.publish(TOPICS.hall_state(HALL.hall), encode(hall(41, emergency=EMERGENCY)), retain=True)
        display.until((20, 540), EMERGENCY_YELLOW)


def test_bad_payloads_are_refused_and_the_next_good_one_is_shown(broker, hub, tmp_path):
    with running(broker, tmp_path) as display:
        settled(hub, display)
        for topic in (TOPICS.hall_state(HALL.hall), TOPICS.hall_announce(HALL.hall), TOPICS.hub_beat):
            for payload in (b"{", b"\xff\xfe", b"null", b'{"v":9}', b"[" * 10_000, b"x" * 17_000):
                hub.client.publish(topic, payload, 0)
        hub.publish(TOPICS.hall_state(HALL.hall), encode(hall(41, emergency=EMERGENCY)), retain=True)
        display.until((20, 540), EMERGENCY_YELLOW)


def test_a_display_that_starts_without_its_broker_shows_the_last_picture_from_disk(broker, hub, tmp_path):
    hub.publish(TOPICS.hall_state(HALL.hall), encode(hall(41, emergency=EMERGENCY)), retain=True)
    kept = tmp_path / "state" / SITE / NODE / "hall.json"
    with running(broker, tmp_path) as display:
        display.until((20, 540), EMERGENCY_YELLOW)
        until = time.monotonic() + WAIT_S
        while not kept.exists():
            assert time.monotonic() < until
            time.sleep(0.01)
        display.stop(signal.SIGKILL)
    broker.stop()
    with running(broker, tmp_path) as display:
        display.until((20, 540), EMERGENCY_YELLOW)
        assert display.stop() == 0


def test_a_sound_device_that_is_away_is_in_telemetry_and_the_picture_goes_on(broker, hub, tmp_path):
    hub.subscribe(TOPICS.node(NODE, NodeTopic.TELEMETRY))
    telemetry: Parser[Telemetry] = Parser(Telemetry)
    with running(broker, tmp_path, SDL_AUDIODRIVER="no-such-driver") as display:
        # The first report may be sent before the device was tried; each new connection brings another one.
        said = telemetry.parse(hub.wait_for(TOPICS.node(NODE, NodeTopic.TELEMETRY), WAIT_S).payload)
        if "mute" not in said.warnings:
            broker.stop()
            broker.start()
            with peer(broker) as watcher:
                watcher.subscribe(TOPICS.node(NODE, NodeTopic.TELEMETRY))
                seen = watcher.wait_for(TOPICS.node(NODE, NodeTopic.TELEMETRY), WAIT_S)
                said = telemetry.parse(seen.payload)
        assert "mute" in said.warnings
        assert display.process.poll() is None


def ends(broker: Broker, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a display that cannot start; settings that are empty are left out of its environment."""
    own = {"SUIVANT_NODE": NODE, "SUIVANT_SITE": SITE, "SUIVANT_STATE_DIR": str(folder)}
    environ = os.environ | broker.environ(NODE) | own | more
    return subprocess.run(
        [sys.executable, "-m", "nodes", "display"],
        env={name: value for name, value in environ.items() if value},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )


def test_a_screen_that_is_away_ends_the_program_to_be_started_again(broker, tmp_path):
    ended = ends(broker, tmp_path, SDL_VIDEODRIVER="x11", DISPLAY=":9876")
    assert ended.returncode == RESTART_STATUS
    assert "suivant-node display: no screen can be opened (x11 not available): connect one" in ended.stderr


def test_a_picture_that_nobody_would_see_ends_the_program_too(broker, tmp_path):
    ended = ends(broker, tmp_path, SDL_VIDEODRIVER="", DISPLAY="", WAYLAND_DISPLAY="", XDG_RUNTIME_DIR="")
    assert ended.returncode == RESTART_STATUS
    assert "suivant-node display: no screen can be opened: connect one" in ended.stderr


def test_a_driver_that_there_is_not_is_a_wrong_setting(broker, tmp_path):
    ended = ends(broker, tmp_path, SDL_VIDEODRIVER="kmsrdm")
    assert ended.returncode == 2
    assert "SDL_VIDEODRIVER is 'kmsrdm': it should be an SDL video driver, such as kmsdrm" in ended.stderr


def test_a_language_that_there_is_not_is_a_wrong_setting(broker, tmp_path):
    ended = ends(broker, tmp_path, SUIVANT_LANGUAGE="xx")
    assert ended.returncode == 2
    assert "SUIVANT_LANGUAGE is 'xx': it should be en, or a language with a built catalogue" in ended.stderr


def test_a_display_speaks_the_language_of_its_setting():
    def spoken(environ):
        return words_in(read(WordsSettings, environ).language)

    assert spoken({"SUIVANT_LANGUAGE": "en"}).closed == "Closed"
    assert spoken({}).closed == "Fermé"


def test_a_wrong_setting_is_named_and_stops_the_program(broker, tmp_path):
    ended = ends(broker, tmp_path, SUIVANT_DISPLAY_SIZE="huge")
    assert ended.returncode == 2
    assert "SUIVANT_DISPLAY_SIZE is 'huge': it should be width x height, each from 100 to 9999" in ended.stderr
