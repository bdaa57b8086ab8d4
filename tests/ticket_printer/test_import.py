"""What importing the dispenser's program leaves behind, and what it says if there is no room to import it."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nodes.__main__ import main


def test_a_start_leaves_nothing_among_the_temporary_files(tmp_path: Path) -> None:
    environ = os.environ | {"TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", "import nodes.ticket_printer.app"], env=environ, check=True)
    assert list(tmp_path.iterdir()) == []


def test_a_start_reads_the_list_of_printers_whole_and_not_as_yaml() -> None:
    looked = """
import yaml
yaml.safe_load = None  # a Pi takes seconds for it
from nodes.ticket_printer import tidy_escpos
from escpos.capabilities import CAPABILITIES, capabilities_path
import json
assert json.loads(open(capabilities_path).read()) == CAPABILITIES
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", looked], check=True)


@pytest.mark.parametrize("arguments", [["ticket-printer"], ["ticket-printer", "--help"]])
def test_without_room_for_its_temporary_files_the_program_says_so_and_asks_for_another_start(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_name: str) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("nodes.__main__.importlib.import_module", full)
    assert main(arguments) == 75
    [said] = capsys.readouterr().err.splitlines()
    assert said == "suivant-node ticket-printer: this role cannot be loaded now: No space left on device."
