import asyncio
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from demo.__main__ import LOCK
from demo.accounts import FOLDER, make_accounts
from demo.people import PASSWORD
from demo.screenshots import read_addresses
from demo.stage import SITE_FILE

PATIENCE_S = 60.0
# Ends a demo that outlives its test and would load the machine; no test waits for this.
LIMIT_S = 900


@dataclass(slots=True)
class Demo:
    """A running demo: its process, its page, and the last state of each part that the page was told."""

    process: subprocess.Popen[str]
    address: str
    socket: ClientConnection
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    output: str = ""
    browsers: dict[str, httpx.Client] = field(default_factory=dict)

    def until(self, true: Callable[[dict[str, dict[str, Any]]], bool], what: str) -> None:
        """Take in what the page is told until `true` holds."""
        until_s = time.monotonic() + PATIENCE_S
        while not true(self.parts):
            assert time.monotonic() < until_s, f"not within {PATIENCE_S} s: {what}; the page shows {self.parts}"
            self._take(0.5)

    def send(self, message: str) -> None:
        self.socket.send(message)

    def fetch(self, path: str) -> bytes:
        with urlopen(self.address + path, timeout=10) as answer:  # noqa: S310
            return answer.read()

    def browser(self, account: str = "responsable") -> httpx.Client:
        """A client in which this account is logged in to the hub."""
        if account not in self.browsers:
            _, hub = read_addresses(self.output)
            made = httpx.Client(base_url=hub, headers={"origin": hub}, trust_env=False, timeout=PATIENCE_S)
            self.browsers[account] = made
            answer = made.post("/login", data={"account": account, "password": PASSWORD})
            assert answer.status_code == httpx.codes.SEE_OTHER, answer.text
        return self.browsers[account]

    def ask_hub(self, path: str, account: str = "responsable") -> str:
        return self.browser(account).get(path).raise_for_status().text

    def pid(self, words: str) -> int:
        """The pid of the demo's process whose command line contains these words."""
        (found,) = [pid for pid, line in children(self.process.pid).items() if words in line]
        return found

    def end(self, number: int) -> int:
        """Send a signal to the demo's main process alone; returns its exit status."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        rest, _ = self.process.communicate(timeout=PATIENCE_S)
        self.output += rest
        return self.process.returncode

    def catch_up(self) -> None:
        """Take in what the page was told while the test did not read."""
        while self._take(0):
            pass

    def _take(self, timeout_s: float) -> bool:
        """Take in one message; False if none came within that time."""
        try:
            part = json.loads(self.socket.recv(timeout=timeout_s))
        except TimeoutError:
            return False
        self.parts[part["part"]] = part
        return True


def children(parent: int) -> dict[int, str]:
    """The command lines of a process's live children, by pid."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            letter, ppid = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if int(ppid) == parent and letter != "Z":
            found[int(entry.name)] = line
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def start_demo(folder: Path, **options: str) -> subprocess.Popen[str]:
    environ = {name: value for name, value in os.environ.items() if name not in {"SPEED", "SECONDS_LIMIT", "PORT"}}
    return subprocess.Popen(
        [sys.executable, "-m", "demo"],
        env=environ | {"PORT": "0", "DEMO_DIR": str(folder), "SECONDS_LIMIT": str(LIMIT_S)} | options,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def hub_settings(folder, site_file) -> dict[str, str]:
    (folder / "hub").mkdir()
    return {
        "PATH": os.environ["PATH"],
        "SUIVANT_SITE_FILE": str(site_file),
        "SUIVANT_STATE_DIR": str(folder / "hub"),
    }


def keep(accounts: Path, folder: Path) -> None:
    """Put the accounts into a folder as an earlier demo leaves them there."""
    shutil.copytree(accounts, folder / FOLDER)
    (folder / LOCK).touch()


@contextmanager
def running_demo(folder: Path, accounts: Path, **options: str) -> Iterator[Demo]:
    """A demo with all its programs up, watched through its page's socket; stopped at the end."""
    keep(accounts, folder)
    process = start_demo(folder, **options)
    try:
        address, output = _address(process)
        # On closing nobody reads any more, so there is no point in waiting for the page's closing frame.
        # A test that looks elsewhere for a while does not read. With a queue without limit, the page's pings are still
        # answered, and the socket stays connected.
        live = connect(
            f"{address.replace('http', 'ws')}/live",
            origin=address,
            close_timeout=0.2,
            ping_interval=None,
            max_queue=None,
        )
        with live as socket:
            demo = Demo(process, address, socket, output=output)
            demo.until(
                lambda parts: len(parts) == 14 and all(part["state"] == "up" for part in parts.values()), "all is up"
            )
            yield demo
            for browser in demo.browsers.values():
                browser.close()
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        if process.stdout is not None:
            process.stdout.close()


def _address(process: subprocess.Popen[str]) -> tuple[str, str]:
    """The page's address, once it is printed, and all output until then."""
    output = ""
    assert process.stdout is not None
    while "Ctrl-C" not in output:
        line = process.stdout.readline()
        assert line, f"the demo ended: {output}"
        output += line
    page, _ = read_addresses(output)
    return page, output


@pytest.fixture(scope="session")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The accounts that a demo's first start keeps for later ones, made once for all processes that run tests."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    kept = shared / FOLDER
    with (shared / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (kept / "made").exists():
            asyncio.run(make_accounts(hub_settings(shared, SITE_FILE)))
    return kept


@pytest.fixture
def demo(tmp_path: Path, accounts: Path) -> Iterator[Demo]:
    """A demo for one test alone, played fast."""
    with running_demo(tmp_path / "demo", accounts, SPEED="10") as running:
        yield running


@pytest.fixture(scope="module")
def shared_demo(tmp_path_factory: pytest.TempPathFactory, accounts: Path) -> Iterator[Demo]:
    """A demo for many tests, played fast; a test that stops something starts it again."""
    with running_demo(tmp_path_factory.mktemp("shared") / "demo", accounts, SPEED="10") as running:
        yield running
