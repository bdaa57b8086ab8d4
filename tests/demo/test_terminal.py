"""A real `make`, a real terminal, a real Ctrl-C."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PROGRAM = """
import signal, sys
from demo.terminal import alone_at_the_terminal
with alone_at_the_terminal():
    # One that comes before it is waited for stays.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    print("ready", flush=True)
    signal.sigwait([signal.SIGINT])
    sys.exit({status})
"""


def at_a_terminal(folder: Path, keys: bytes, status: int) -> int:
    """Run `make` in a terminal and strike `keys` once its command is ready; returns its exit status."""
    (folder / "program.py").write_text(PROGRAM.format(status=status))
    (folder / "Makefile").write_text(f"run:\n\t@exec {sys.executable} {folder}/program.py\n")
    terminal, its_own = pty.openpty()
    make = subprocess.Popen(
        ["setsid", "--ctty", "make", "-C", str(folder), "run"],
        stdin=its_own,
        stdout=its_own,
        stderr=its_own,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    os.close(its_own)
    said = b""
    while b"ready" not in said:
        said += os.read(terminal, 1024)
    os.write(terminal, keys)
    while _more(terminal):
        pass
    os.close(terminal)
    return make.wait()


def _more(terminal: int) -> bool:
    try:
        return bool(os.read(terminal, 1024))
    except OSError:  # the last program on the terminal has ended
        return False


@pytest.mark.parametrize(("status", "of_make"), [(0, 0), (1, 2)])
def test_ctrl_c_ends_make_as_the_demo_ends(tmp_path, status, of_make):
    assert at_a_terminal(tmp_path, b"\x03", status) == of_make


def test_ctrl_z_does_not_leave_make_waiting_for_a_stopped_demo(tmp_path):
    assert at_a_terminal(tmp_path, b"\x1a\x03", 0) == 0
