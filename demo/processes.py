"""Starts, watches and stops the demo's programs, and checks that none is left."""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

PATIENCE_S = 5.0
WATCH_PERIOD_S = 0.5
PR_SET_PDEATHSIG = 1
# Loaded in advance, since it must not be looked up between fork and exec.
_LIBC = ctypes.CDLL(None)


class ProcessState(StrEnum):
    RUNNING = "running"
    FROZEN = "frozen"  # by SIGSTOP or a debugger
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run in `folder`, with `arguments` and `environ` as for exec; its output goes to `log`.

    `stage`: programs with lower ones are stopped first.
    """

    name: str
    arguments: Sequence[str]
    environ: Mapping[str, str]
    log: Path
    folder: Path
    stage: int


class Crew:
    """All processes of the demo, each in its own session, so that Ctrl-C reaches only the demo.

    `on_state` is called on the event loop for each program whose state changed.
    """

    def __init__(self, on_state: Callable[[str, ProcessState], None]) -> None:
        self._on_state = on_state
        self._programs: dict[str, Program] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._states: dict[str, ProcessState] = {}
        self._sessions: set[int] = set()

    def start(self, program: Program) -> None:
        """Start a program. Raises OSError if it cannot be started."""
        with program.log.open("ab") as log:
            process = subprocess.Popen(
                program.arguments,
                cwd=program.folder,
                env=dict(program.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - the demo starts programs from its one thread
            )
        self._programs[program.name] = program
        self._running[program.name] = process
        self._sessions.add(process.pid)
        self._note(program.name, ProcessState.RUNNING)

    def restart(self, name: str) -> None:
        """Start a program that has ended, or continue one that is frozen; otherwise do nothing."""
        state = self._states.get(name)
        if state is ProcessState.ENDED:
            self.start(self._programs[name])
        elif state is ProcessState.FROZEN:
            self._signal(self._running[name].pid, signal.SIGCONT)

    @property
    def count(self) -> int:
        """How many programs were started."""
        return len(self._programs)

    def state(self, name: str) -> ProcessState | None:
        return self._states.get(name)

    def pid(self, name: str) -> int:
        return self._running[name].pid

    async def watch(self) -> None:
        """Report programs that end, freeze or continue, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(WATCH_PERIOD_S)

    def look(self) -> None:
        for name, process in self._running.items():
            self._note(name, _state(process))

    async def stop(self) -> tuple[int, ...]:
        """Stop all programs, stage by stage; returns the pids of processes that are left."""
        for stage in sorted({program.stage for program in self._programs.values()}):
            pids = [self._running[name].pid for name, program in self._programs.items() if program.stage == stage]
            for number in (signal.SIGTERM, signal.SIGCONT):
                for pid in pids:
                    self._signal(pid, number)
            if not await self._gone(pids):
                for pid, (session, _letter) in _processes().items():
                    if session in pids:
                        self._signal(pid, signal.SIGKILL)
        await self._gone(list(self._sessions))
        return self.left()

    def left(self) -> tuple[int, ...]:
        """Every live process of the sessions that the demo began, whatever its parent is by now."""
        for process in self._running.values():
            process.poll()
        return tuple(
            pid for pid, (session, letter) in _processes().items() if session in self._sessions and letter != "Z"
        )

    async def _gone(self, sessions: list[int]) -> bool:
        deadline_s = asyncio.get_running_loop().time() + PATIENCE_S
        while any(_sessions_of(self.left()) & {session} for session in sessions):
            if asyncio.get_running_loop().time() > deadline_s:
                return False
            await asyncio.sleep(0.05)
        return True

    def _signal(self, pid: int, number: int) -> None:
        # A process that is gone already needs no signal.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, number)

    def _note(self, name: str, state: ProcessState) -> None:
        if self._states.get(name) is not state:
            self._states[name] = state
            self._on_state(name, state)


def _end_with_parent() -> None:
    # If the demo is killed, its programs end too.
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _state(process: subprocess.Popen[bytes]) -> ProcessState:
    if process.poll() is not None:
        return ProcessState.ENDED
    found = _stat(process.pid)
    if found is None:
        return ProcessState.ENDED
    return ProcessState.FROZEN if found[1] in "Tt" else ProcessState.RUNNING


def _processes() -> dict[int, tuple[int, str]]:
    """The session and state letter of every process on this machine, by pid."""
    pids = [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdecimal()]
    return {pid: found for pid in pids if (found := _stat(pid)) is not None}


def _sessions_of(pids: Sequence[int]) -> set[int]:
    return {found[0] for pid in pids if (found := _stat(pid)) is not None}


def _stat(pid: int) -> tuple[int, str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name in parentheses may itself contain spaces and parentheses.
    letter, _parent, _group, session = text.rpartition(")")[2].split()[:4]
    return int(session), letter
