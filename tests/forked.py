"""Runs our programs, each in a separate process forked off one that has already imported all of it.

A test meets the real program: its `main`, with a separate environment, folder, streams and signals, and it may be
killed. Only its imports, which are most of a start, are not repeated hundreds of times. The tests of the demo, the
command line and the wheel do start programs from nothing.
"""

import importlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TextIO

_context = multiprocessing.get_context("forkserver")
_HUB = ("hub.__main__", "hub.serve", "hub.people_commands")
_NODES = (
    "nodes.__main__",
    "nodes.desk_button.app",
    "nodes.ticket_printer.app",
    "nodes.ticket_printer.virtual_printer.server",
)
_context.set_forkserver_preload([*_HUB, *_NODES])


class Forked:
    """Runs what `python -m` of this command runs.

    `to`: files to which its output and errors are appended; without them its errors can be read from `stderr`.
    """

    def __init__(
        self, *command: str, environ: Mapping[str, str], folder: Path, to: tuple[Path, Path] | None = None
    ) -> None:
        self.stderr: TextIO | None = None
        if to is not None:
            self._process = self._start(command, dict(environ), folder, *to)
            return
        reading, writing = _context.Pipe(duplex=False)
        with reading, writing:
            self._process = self._start(command, dict(environ), folder, None, writing)
            self.stderr = os.fdopen(os.dup(reading.fileno()), encoding="utf-8")

    @staticmethod
    def _start(*asked: object) -> "multiprocessing.process.BaseProcess":
        process = _context.Process(target=_serve, args=asked, daemon=True)
        process.start()
        return process

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, limit_s: float | None = None) -> int:
        """Return its exit status. Raises TimeoutExpired."""
        self._process.join(limit_s)
        status = self._process.exitcode
        if status is None:
            raise subprocess.TimeoutExpired(self._process.name, limit_s or 0)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()


def run(
    *command: str, environ: Mapping[str, str], folder: Path, limit_s: float = 60
) -> "subprocess.CompletedProcess[str]":
    """Run a program until it ends; returns its status and what it wrote. Raises TimeoutExpired."""
    with tempfile.TemporaryDirectory() as said:
        output, errors = Path(said) / "output", Path(said) / "errors"
        child = Forked(*command, environ=environ, folder=folder, to=(output, errors))
        try:
            status = child.wait(limit_s)
        except subprocess.TimeoutExpired:
            child.kill()
            raise
        return subprocess.CompletedProcess(command, status, output.read_text("utf-8"), errors.read_text("utf-8"))


def _serve(
    command: tuple[str, ...], environ: dict[str, str], folder: Path, output: Path | None, errors: Path | Connection
) -> None:
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    if output is not None:
        _lead(1, output)
    _lead(2, errors)
    program, *arguments = command
    sys.argv = [program, *arguments]
    sys.exit(importlib.import_module(f"{program}.__main__").main(arguments))


def _lead(stream: int, to: Path | Connection) -> None:
    if isinstance(to, Connection):
        os.dup2(to.fileno(), stream)
        to.close()
        return
    with to.open("ab") as file:
        os.dup2(file.fileno(), stream)
