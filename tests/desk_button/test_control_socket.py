import errno
import json
import os
import socket
import stat
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from nodes.simulated import (
    CLIENTS_MOST,
    LINE_MOST,
    BadLine,
    ControlSocket,
    FaultInput,
    Input,
    PinInput,
    use_mock_pins,
)


class Client:
    def __init__(self, folder: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(10)
        opened = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        self.socket.connect(f"/proc/self/fd/{opened}/control.sock")
        os.close(opened)
        self._lines = self.socket.makefile("rb")

    def say(self, line: bytes) -> None:
        self.socket.sendall(line + b"\n")

    def heard(self) -> dict[str, object]:
        line = self._lines.readline()
        if not line:
            raise EOFError
        said: dict[str, object] = json.loads(line)
        return said

    def close(self) -> None:
        self._lines.close()
        self.socket.close()


@pytest.fixture
def obeyed() -> list[Input]:
    return []


@pytest.fixture
def control(tmp_path: Path, obeyed: list[Input]) -> Iterator[ControlSocket]:
    def obey(wanted: Input) -> None:
        if wanted == PinInput(99, True):
            raise BadLine("there is no pin 99")
        if wanted == FaultInput("none"):
            raise OSError(errno.ENOSPC, "No space left on device")
        obeyed.append(wanted)

    made = ControlSocket(tmp_path, obey)
    yield made
    made.close()


@pytest.fixture
def client(control: ControlSocket, tmp_path: Path) -> Iterator[Client]:
    made = Client(tmp_path)
    yield made
    made.close()


def test_only_its_owner_can_open_it(control: ControlSocket, tmp_path: Path):
    assert stat.S_IMODE((tmp_path / "control.sock").stat().st_mode) == 0o600


def test_what_is_said_is_obeyed_in_order(control: ControlSocket, client: Client, obeyed: list[Input]):
    client.say(b'{"pin": 17, "pressed": true}\n{"fault": "paper_out"}\n{"pin": 17, "pressed": false}')
    client.say(b"?")
    assert "error" in client.heard()
    assert obeyed == [PinInput(17, True), FaultInput("paper_out"), PinInput(17, False)]


def test_who_connects_is_shown_the_whole_and_then_what_changes(control: ControlSocket, tmp_path: Path):
    control.show("led 27", {"led": 27, "on": True})
    control.show("frame", {"frame": 1})
    client = Client(tmp_path)
    assert [client.heard(), client.heard()] == [{"led": 27, "on": True}, {"frame": 1}]
    control.show("led 27", {"led": 27, "on": True})
    control.show("led 27", {"led": 27, "on": False})
    assert client.heard() == {"led": 27, "on": False}
    client.close()


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b"[]",
        b'{"pin": "17", "pressed": true}',
        b'{"pin": 17}',
        b'{"pin": 99, "pressed": true}',
        b"\xff",
        b'{"fault": 1}',
    ],
)
def test_a_line_that_is_not_understood_is_answered_with_why(control: ControlSocket, client: Client, obeyed, line):
    client.say(line)
    assert "error" in client.heard()
    client.say(b'{"pin": 17, "pressed": true}')
    client.say(b"?")
    assert "error" in client.heard()
    assert obeyed == [PinInput(17, True)]


def test_a_line_that_fails_is_answered_with_why_and_the_next_is_obeyed(control: ControlSocket, client: Client, obeyed):
    """A virtual printer whose fault ends goes on printing, and its disk may be full."""
    client.say(b'{"fault": "none"}')
    assert client.heard() == {"error": "OSError: [Errno 28] No space left on device"}
    client.say(b'{"pin": 17, "pressed": true}')
    client.say(b"?")
    assert "error" in client.heard()
    assert obeyed == [PinInput(17, True)]


def test_a_line_without_an_end_is_cut_off(control: ControlSocket, client: Client):
    client.socket.sendall(b"x" * (LINE_MOST + 1))
    with pytest.raises((EOFError, ConnectionResetError)):
        client.heard()


def test_more_clients_than_it_serves_are_sent_away(control: ControlSocket, tmp_path: Path):
    control.show("led 27", {"led": 27, "on": True})
    clients = [Client(tmp_path) for _ in range(CLIENTS_MOST)]
    for each in clients:
        each.heard()
    late = Client(tmp_path)
    with pytest.raises((EOFError, ConnectionResetError)):
        late.heard()
    for each in [*clients, late]:
        each.close()


def test_a_client_that_does_not_read_is_dropped_and_the_others_go_on(control: ControlSocket, tmp_path: Path):
    control.show("count", {"count": -1})
    slow, quick = Client(tmp_path), Client(tmp_path)
    slow.heard()
    quick.heard()
    for number in range(3_000):
        control.show("count", {"count": number, "filling": "x" * 200})
        assert quick.heard()["count"] == number
    assert all_heard(slow) < 3_000
    for each in (slow, quick):
        each.close()


def all_heard(client: Client) -> int:
    """The number of lines that came until the connection ended."""
    for number in count():
        try:
            client.heard()
        except (EOFError, ConnectionResetError):
            return number
    raise AssertionError


def test_what_a_crash_left_behind_is_taken_over(tmp_path: Path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(tmp_path / "control.sock"))
    made = ControlSocket(tmp_path, lambda _wanted: None)
    client = Client(tmp_path)
    client.close()
    made.close()
    assert not (tmp_path / "control.sock").exists()


def test_what_is_shown_after_its_end_disturbs_nobody(tmp_path: Path):
    made = ControlSocket(tmp_path, lambda _wanted: None)
    made.close()
    made.show("paper", {"paper": "000001.png"})


def test_a_mock_pin_presses_a_real_button_object():
    from gpiozero import LED, Button, Device

    drive = use_mock_pins()
    try:
        with Button(17) as button, LED(27):
            drive(PinInput(17, True))
            assert button.is_pressed
            drive(PinInput(17, False))
            assert not button.is_pressed
            with pytest.raises(BadLine, match="pin 27 is an output"):
                drive(PinInput(27, True))
            with pytest.raises(BadLine):
                drive(PinInput(4_711, True))
    finally:
        Device.pin_factory.reset()


def test_a_folder_may_lie_deeper_than_the_path_of_a_socket_is_long(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 20) / ("deeper" * 20)
    control = ControlSocket(folder, lambda _: None)
    client = Client(folder)
    client.say(b'{"pin": 17, "pressed": true}')
    client.close()
    control.close()
    assert len(str(folder)) > 107
