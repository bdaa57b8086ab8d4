"""When the hub tells systemd's watchdog that it is alive."""

import asyncio
import socket
from pathlib import Path

from hub.serve import feed_watchdog
from protocol.systemd import Notifier


def heard(tmp_path: Path, alive: list[bool], watchdog_us: str) -> list[bytes]:
    """What systemd hears if the writer is found as in `alive`, one look after the other."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": watchdog_us})
        asyncio.run(feed_watchdog(notifier, iter(alive).__next__))
        # Marks the end.
        notifier.stopping()
        return list(iter(lambda: systemd.recv(100), b"STOPPING=1"))


def test_it_is_fed_until_the_writer_is_dead(tmp_path: Path):
    assert heard(tmp_path, [True, True, False], "3000") == [b"WATCHDOG=1"] * 2


def test_without_a_watchdog_it_is_not_fed(tmp_path: Path):
    assert heard(tmp_path, [True], "") == []
