"""What systemd hears on the socket that it names."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.systemd import Notifier


@pytest.fixture(params=["file", "abstract"])
def named(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """systemd's socket, and its name as NOTIFY_SOCKET has it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        address = str(tmp_path / "notify")
        is_file = request.param == "file"
        systemd.bind(address if is_file else f"\0{address}")
        systemd.setblocking(False)
        yield systemd, address if is_file else f"@{address}"


def test_it_hears_each_word_as_one_datagram(named: tuple[socket.socket, str]):
    systemd, name = named
    notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "60000000"})
    notifier.ready()
    notifier.alive()
    notifier.stopping()
    assert [systemd.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]
    assert notifier.watchdog_ms == 60_000


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": "", "WATCHDOG_USEC": ""}, {"WATCHDOG_USEC": "0"}])
def test_without_systemd_nothing_is_told_and_no_watchdog_waits(environ: dict[str, str]):
    notifier = Notifier(environ)
    notifier.ready()
    assert notifier.watchdog_ms is None


def test_a_socket_that_nobody_has_does_no_harm(tmp_path: Path):
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).ready()


def test_a_systemd_that_hangs_does_not_stop_the_program(tmp_path: Path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as hangs:
        hangs.bind(str(tmp_path / "notify"))
        most = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text(encoding="ascii"))
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        for _ in range(most + 2):
            notifier.alive()
