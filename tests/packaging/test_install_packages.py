"""The script that installs Debian's packages, with stubs that only note what is installed and enabled."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "provisioning" / "install-packages"
POLICY = "/usr/sbin/policy-rc.d"
PROGRAMS = {
    "id": "echo 0",
    "dpkg-query": 'for name; do :; done; cat "$SYSTEM/dpkg/$name"',
    "apt-get": '[ "$1" = update ] || . "$SYSTEM/install"',
    # Here systemd runs and removes the link; without systemd the script removes it directly.
    "systemctl": 'for name; do :; done; rm -f "$SYSTEM/enabled/$name"',
    "update-rc.d": "exit 0",
}
WELL = 'for name in {}; do echo -n {} >"$SYSTEM/dpkg/$name"; done; : >"$SYSTEM/enabled/mosquitto"\n'
OTHERS = "ca-certificates python3 python3-venv tzdata libglib2.0-0"


class System:
    """A Debian made of stubs in a folder. `install`: what apt-get then does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for each in ("bin", "dpkg", "enabled"):
            (folder / each).mkdir()
        for name, does in PROGRAMS.items():
            program = folder / "bin" / name
            program.write_text(f"#!/bin/sh\n{does}\n")
            program.chmod(0o755)
        text = SCRIPT.read_text()
        assert text.count(POLICY) == 1
        self.script = folder / "install-packages"
        self.script.write_text(text.replace(POLICY, str(folder / "policy")))

    def run(self, install: str) -> int:
        (self.folder / "install").write_text(install)
        environ = {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "SYSTEM": str(self.folder)}
        return subprocess.run(["sh", str(self.script), "run"], env=environ, capture_output=True, check=False).returncode

    def has(self, package: str) -> None:
        (self.folder / "dpkg" / package).write_text("installed")

    @property
    def enabled(self) -> list[str]:
        return sorted(each.name for each in (self.folder / "enabled").iterdir())


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    made = System(tmp_path)
    yield made
    assert not (tmp_path / "policy").exists(), "services may start again"


def test_a_service_that_was_not_there_before_is_left_off(system: System) -> None:
    assert system.run(WELL.format(f"{OTHERS} mosquitto", "installed")) == 0
    assert system.enabled == []


@pytest.mark.parametrize("status", ["installed", "half-configured", "triggers-awaited"])
def test_a_service_is_left_off_too_where_apt_fails_once_it_is_there(system: System, status: str) -> None:
    """The next run would not do it, since it would not find the package missing."""
    assert system.run(WELL.format("mosquitto", status) + "exit 100\n") == 1
    assert system.enabled == []


def test_a_service_that_was_there_before_stays_as_it_was(system: System) -> None:
    system.has("mosquitto")
    assert system.run(WELL.format(OTHERS, "installed")) == 0
    assert system.enabled == ["mosquitto"]
