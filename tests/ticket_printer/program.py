"""The real program, started as systemd would start it, whose buttons the test presses."""

import json
import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.broker import SITE, Broker
from tests.forked import Forked, run
from tests.ticket_printer.hub import NODE

START_TIMEOUT_S = 60.0


class Program:
    """One run of `suivant-node ticket-printer --simulated`; `folder` outlives it, as an SD card does."""

    def __init__(self, broker: Broker, folder: Path, **settings: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        environ, log = _environ(broker, folder, settings), folder / "log"
        self._process = Forked(*_command(folder), environ=environ, folder=folder, to=(log, log))
        self.shown: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self._control = self._connect()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @staticmethod
    def refused(broker: Broker, folder: Path, **settings: str) -> tuple[int, str]:
        """Run a program that ends by itself; returns its status and its errors."""
        ended = run(*_command(folder), environ=_environ(broker, folder, settings), folder=folder)
        return ended.returncode, ended.stderr

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def papers(self) -> list[Path]:
        return sorted((self.folder / "paper").glob("*.png"))

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def press(self, pin: int, held_s: float = 0.3) -> None:
        """Press a button for a moment; less than 25 ms would be a bounce."""
        self.say({"pin": pin, "pressed": True})
        time.sleep(held_s)
        self.say({"pin": pin, "pressed": False})

    def say(self, line: Mapping[str, Any]) -> None:
        self._control.sendall(json.dumps(line).encode() + b"\n")

    def wait_shown(self, timeout_s: float = 20, **wanted: Any) -> Mapping[str, Any]:
        """Wait for the next line of the control socket with these values."""
        until = time.monotonic() + timeout_s
        while True:
            line = self.shown.get(timeout=max(0.001, until - time.monotonic()))
            if all(line.get(key) == value for key, value in wanted.items()):
                return line

    def wait_logged(self, event: str, timeout_s: float = 20) -> None:
        """Wait until this run has logged the event."""
        until = time.monotonic() + timeout_s
        while event not in self.log().rpartition("node.started")[2]:
            assert time.monotonic() < until, self.log()
            time.sleep(0.02)

    def wait_shown_key(self, key: str, timeout_s: float = 20) -> Any:
        """Wait for the next line that has this key; returns its value."""
        until = time.monotonic() + timeout_s
        while True:
            line = self.shown.get(timeout=max(0.001, until - time.monotonic()))
            if key in line:
                return line[key]

    def wait_paper(self, name: str, timeout_s: float = 20) -> None:
        self.wait_shown(timeout_s, paper=name)

    def kill(self) -> None:
        """Kill the program, as a power cut would: no handler runs."""
        self._process.kill()
        self._end()

    def stop(self) -> int:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._end()

    def _end(self) -> int:
        status = self._process.wait(60)
        self._control.close()
        self._reader.join()
        return status

    def _connect(self) -> socket.socket:
        until = time.monotonic() + START_TIMEOUT_S
        while True:
            control = socket.socket(socket.AF_UNIX)
            try:
                control.connect(str(self.folder / "control.sock"))
            except OSError:
                control.close()
                assert self._process.poll() is None, self.log()
                assert time.monotonic() < until, self.log()
                time.sleep(0.02)
            else:
                return control

    def _read(self) -> None:
        left = b""
        while True:
            try:
                piece = self._control.recv(4096)
            except OSError:
                return
            if not piece:
                return
            *lines, left = (left + piece).split(b"\n")
            for line in lines:
                self.shown.put(json.loads(line))


def _command(folder: Path) -> list[str]:
    return ["nodes", "ticket-printer", "--simulated", str(folder)]


def _environ(broker: Broker, folder: Path, settings: Mapping[str, str]) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("SUIVANT_")}
    return {
        **plain,
        **broker.environ(NODE),
        "SUIVANT_NODE": NODE,
        "SUIVANT_SITE": SITE,
        "SUIVANT_STATE_DIR": str(folder / "state"),
        **settings,
    }
