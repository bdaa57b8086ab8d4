"""Linux input devices as the dispenser reads them."""

import fcntl
import os
import queue
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from nodes.ticket_printer import keyboard
from nodes.ticket_printer.events import KeyboardAway, KeyboardThere, KeyChanged, KeysLost
from nodes.ticket_printer.keyboard import EV_KEY, EV_SYN, EVENT, SYN_DROPPED, Keyboard, happened
from nodes.ticket_printer.keys import Keyboards
from protocol.link import monotonic_ms
from tests.ticket_printer.keyboard import ENTER, Scanner, event, scan, stroke

LIMIT_S = 20
KEY_A = 30
# From linux/uinput.h: _IOW('U', 3 …), UI_DEV_CREATE, UI_DEV_DESTROY.
UI_SET_EVBIT, UI_SET_KEYBIT, UI_DEV_SETUP = 0x40045564, 0x40045565, 0x405C5503
UI_DEV_CREATE, UI_DEV_DESTROY, UI_GET_SYSNAME_32 = 0x5501, 0x5502, 0x8020552C


class Told:
    """What a keyboard put into the inbox."""

    def __init__(self) -> None:
        self.events: queue.SimpleQueue[object] = queue.SimpleQueue()

    def next(self) -> object:
        return self.events.get(timeout=LIMIT_S)

    def presence(self, wanted: type) -> None:
        """Wait until the keyboard is said to be there or away; fail if it is not `wanted`."""
        event = self.next()
        while not isinstance(event, KeyboardThere | KeyboardAway):
            event = self.next()
        assert isinstance(event, wanted)

    def code(self) -> str:
        """The next code, as the node itself reads keys."""
        keyboards = Keyboards()
        while True:
            code = keyboards.take(self.next())
            if code is not None:
                return code


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def scanner(tmp_path: Path) -> Iterator[Scanner]:
    made = Scanner(tmp_path / "event-kbd")
    yield made
    made.unplug()


@pytest.fixture
def opened(told: Told, scanner: Scanner, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Keyboard]]:
    monkeypatch.setattr(keyboard, "REOPEN_S", 0.02)
    made: list[Keyboard] = []

    def start() -> Keyboard:
        made.append(Keyboard(scanner.path, told.events.put, monotonic_ms))
        return made[-1]

    yield start
    for each in made:
        each.close()


def test_an_event_is_as_long_as_the_kernels() -> None:
    assert EVENT.size == (24 if struct.calcsize("l") == 8 else 16)


def test_a_scanned_code_comes_in_whole(told: Told, scanner: Scanner, opened: Callable[[], Keyboard]) -> None:
    scanner.plug_in()
    opened()
    scanner.send(scan("K7m2Q9xw"))
    assert told.next() == KeyboardThere(str(scanner.path))
    assert told.code() == "K7m2Q9xw"


def test_a_code_of_300_signs_comes_in_whole(told: Told, scanner: Scanner, opened: Callable[[], Keyboard]) -> None:
    scanner.plug_in()
    opened()
    code = "Az09" * 75
    scanner.send(scan(code))
    assert told.code() == code


def test_an_event_in_two_pieces_is_put_together(told: Told, scanner: Scanner, opened: Callable[[], Keyboard]) -> None:
    scanner.plug_in()
    opened()
    data = stroke(KEY_A) + stroke(ENTER)
    for place in range(0, len(data), 7):
        scanner.send(data[place : place + 7])
    assert told.code() == "a"


def test_one_that_is_unplugged_is_away_and_is_opened_again(
    told: Told, scanner: Scanner, opened: Callable[[], Keyboard]
) -> None:
    opened()
    for _ in range(3):
        told.presence(KeyboardAway)
        scanner.plug_in()
        scanner.send(scan("a1"))
        told.presence(KeyboardThere)
        assert told.code() == "a1"
        scanner.unplug()
    told.presence(KeyboardAway)


def test_one_that_is_away_for_hours_is_told_once(
    told: Told, scanner: Scanner, opened: Callable[[], Keyboard], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    really = os.open

    def count_and_open(path: Path, flags: int) -> int:
        if path == scanner.path:
            tried.append(path)
            if len(tried) == 20:
                scanner.plug_in()
        return really(path, flags)

    monkeypatch.setattr(keyboard.os, "open", count_and_open)
    with capture_logs() as lines:
        opened()
        assert told.next() == KeyboardAway(str(scanner.path))
        assert told.next() == KeyboardThere(str(scanner.path))
    assert [line["event"] for line in lines if line["event"] == "keyboard.away"] == ["keyboard.away"]
    assert len(tried) == 20


def test_what_cannot_be_grabbed_is_read_all_the_same_and_logged(
    told: Told, scanner: Scanner, opened: Callable[[], Keyboard]
) -> None:
    scanner.plug_in()
    with capture_logs() as lines:
        opened()
        scanner.send(scan("a"))
        assert told.code() == "a"
    assert "keyboard.not_grabbed" in [line["event"] for line in lines]


def test_one_that_another_program_has_grabbed_counts_as_away(
    told: Told, scanner: Scanner, opened: Callable[[], Keyboard], monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(keyboard.fcntl, "ioctl", busy)
    scanner.plug_in()
    opened()
    assert told.next() == KeyboardAway(str(scanner.path))


@pytest.mark.parametrize("there", [True, False])
def test_a_keyboard_is_closed_at_once_whether_it_is_there_or_not(told: Told, scanner: Scanner, there: bool) -> None:
    if there:
        scanner.plug_in()
    made = Keyboard(scanner.path, told.events.put, monotonic_ms)
    told.presence(KeyboardThere if there else KeyboardAway)
    made.close()
    assert not made._thread.is_alive()


def test_a_held_key_is_pressed_once() -> None:
    data = event(EV_KEY, KEY_A, 1) + event(EV_KEY, KEY_A, 2) * 30 + event(EV_KEY, KEY_A, 0)
    assert list(happened(data, "kbd", 7)) == [KeyChanged("kbd", KEY_A, True, 7), KeyChanged("kbd", KEY_A, False, 7)]


def test_keys_that_the_kernel_dropped_are_told() -> None:
    assert list(happened(event(EV_SYN, SYN_DROPPED, 0), "kbd", 7)) == [KeysLost("kbd", 7)]


def test_what_is_no_key_says_nothing() -> None:
    # A scan code and a movement, such as keyboards and mice send.
    assert list(happened(event(4, 4, 458_756) + event(2, 0, -3), "kbd", 7)) == []


@pytest.mark.skipif(not os.access("/dev/uinput", os.W_OK), reason="/dev/uinput is not there")
def test_a_real_input_device_is_grabbed_and_read(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    device = os.open("/dev/uinput", os.O_WRONLY | os.O_NONBLOCK)
    try:
        fcntl.ioctl(device, UI_SET_EVBIT, EV_KEY)
        for code in (KEY_A, ENTER):
            fcntl.ioctl(device, UI_SET_KEYBIT, code)
        fcntl.ioctl(device, UI_DEV_SETUP, struct.pack("HHHH80sI", 3, 1, 1, 1, b"suivant test", 0))
        fcntl.ioctl(device, UI_DEV_CREATE)
        name = fcntl.ioctl(device, UI_GET_SYSNAME_32, bytes(32)).rstrip(b"\0").decode()
        [folder] = Path(f"/sys/devices/virtual/input/{name}").glob("event*")
        made = Keyboard(Path("/dev/input") / folder.name, told.events.put, monotonic_ms)
        assert isinstance(told.next(), KeyboardThere)
        other = os.open(Path("/dev/input") / folder.name, os.O_RDONLY)
        with pytest.raises(OSError, match="busy"):
            fcntl.ioctl(other, keyboard.EVIOCGRAB, 1)
        os.close(other)
        os.write(device, stroke(KEY_A) + stroke(ENTER))
        assert told.code() == "a"
        fcntl.ioctl(device, UI_DEV_DESTROY)
        assert isinstance(told.next(), KeyboardAway)
        made.close()
    finally:
        os.close(device)
