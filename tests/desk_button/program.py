"""The real button program in a separate process, with mock pins; a test presses and watches by its control socket."""

import json
import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.forked import Forked

BUTTON_PIN = 17
LED_PIN = 27
START_LIMIT_S = 60


@dataclass(frozen=True, slots=True)
class Flash:
    """A change of the lamp, by this process's monotonic clock."""

    on: bool
    at_s: float


class ButtonProgram:
    def __init__(self, folder: Path, environ: Mapping[str, str], *, node: str = "desk-1", site: str = "mairie") -> None:
        self.folder = folder
        self.node = node
        self.lamp: queue.SimpleQueue[Flash] = queue.SimpleQueue()
        self._environ = (
            {key: value for key, value in os.environ.items() if not key.startswith("SUIVANT_")}
            | {"SUIVANT_NODE": node, "SUIVANT_SITE": site, "SUIVANT_STATE_DIR": str(folder / "state")}
            | dict(environ)
        )
        self._process: Forked | None = None
        self._control: socket.socket | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        command = ("nodes", "desk-button", "--simulated", str(self.folder))
        log = self.folder / "log"
        self._process = Forked(*command, environ=self._environ, folder=self.folder, to=(log, log))
        try:
            self._control = self._connect()
        except RuntimeError:
            self.close()
            raise
        threading.Thread(target=self._watch, args=(self._control,), daemon=True).start()

    def hold(self) -> None:
        self._say({"pin": BUTTON_PIN, "pressed": True})

    def let_go(self) -> None:
        self._say({"pin": BUTTON_PIN, "pressed": False})

    def press(self, held_s: float = 0.3) -> None:
        """Press as a hand does, in real time: the program's clock is real."""
        self.hold()
        time.sleep(held_s)
        self.let_go()

    def next_flash(self, on: bool, timeout_s: float = 30.0) -> Flash:
        """Wait for the lamp's next change to `on`."""
        until = time.monotonic() + timeout_s
        while True:
            flash = self.lamp.get(timeout=max(until - time.monotonic(), 0.001))
            if flash.on is on:
                return flash

    def terminate(self, number: int = signal.SIGTERM) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self.wait()

    def wait(self, timeout_s: float = 30.0) -> int:
        assert self._process is not None
        return self._process.wait(timeout_s)

    def log(self) -> list[dict[str, Any]]:
        lines = (self.folder / "log").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def logged(self, event: str, timeout_s: float = 30.0) -> dict[str, Any]:
        """Wait for the first log line of this event. Raises TimeoutError."""
        until = time.monotonic() + timeout_s
        while True:
            for line in self.log():
                if line["event"] == event:
                    return line
            if time.monotonic() > until:
                raise TimeoutError(f"no {event} in the log: {(self.folder / 'log').read_text(encoding='utf-8')}")
            time.sleep(0.02)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._control is not None:
            self._control.close()

    def _connect(self) -> socket.socket:
        until = time.monotonic() + START_LIMIT_S
        while True:
            client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                client.connect(str(self.folder / "control.sock"))
            except OSError:
                client.close()
                if time.monotonic() > until or self._process is None or self._process.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text(encoding="utf-8")) from None
                time.sleep(0.02)
            else:
                return client

    def _say(self, message: dict[str, object]) -> None:
        assert self._control is not None
        self._control.sendall(json.dumps(message).encode() + b"\n")

    def _watch(self, control: socket.socket) -> None:
        # A program that ends while something is being sent to it resets the connection.
        with suppress(ConnectionResetError), control.makefile("rb") as lines:
            for line in lines:
                said = json.loads(line)
                if said.get("led") == LED_PIN:
                    self.lamp.put(Flash(bool(said["on"]), time.monotonic()))


@contextmanager
def button_program(folder: Path, environ: Mapping[str, str], *, node: str = "desk-1") -> Iterator[ButtonProgram]:
    program = ButtonProgram(folder, environ, node=node)
    program.start()
    try:
        yield program
    finally:
        program.close()
