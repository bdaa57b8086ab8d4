"""How a demo ends whose disk takes nothing more, or whose output nobody reads or can show."""

import errno
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

import demo.__main__ as program

ROOT = Path(program.__file__).parents[1]
# A demo that only prints this.
PRINTS = """
import sys
import demo.__main__ as program

async def run(options):
    print("the hall’s page …", flush=True)
    return 0

program._run = run
sys.exit(program.main())
"""


@pytest.fixture(autouse=True)
def own_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "alone_at_the_terminal", nullcontext)


def test_a_full_disk_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fill(_options: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setenv("DEMO_DIR", str(tmp_path))
    monkeypatch.setattr(program, "_run", fill)
    assert program.main() == program.FAILED_STATUS
    assert capsys.readouterr().err == (
        f"demo: DEMO_DIR is {tmp_path}: No space left on device; free some space there, or set it to another folder\n"
    )


def test_an_error_that_is_not_the_disks_is_not_blamed_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lose(_options: object) -> int:
        raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))

    monkeypatch.setenv("DEMO_DIR", str(tmp_path))
    monkeypatch.setattr(program, "_run", lose)
    with pytest.raises(ConnectionResetError):
        program.main()


def printing(folder: Path, **settings: str) -> dict[str, str]:
    return {**os.environ, "DEMO_DIR": str(folder), "PYTHONPATH": str(ROOT), **settings}


def test_a_demo_whose_output_nobody_reads_ends_without_a_traceback(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as nowhere:
        ended = subprocess.run(
            [sys.executable, "-c", PRINTS], env=printing(tmp_path), stdout=nowhere, stderr=subprocess.PIPE, check=False
        )
    assert (ended.returncode, ended.stderr) == (program.FAILED_STATUS, b"")


def test_a_terminal_that_cannot_show_a_sign_shows_another_one(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PRINTS],
        env=printing(tmp_path, PYTHONIOENCODING="ascii"),
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"the hall?s page ?\n", b"")
