"""`make demo`: plays a morning until Ctrl-C, or for SECONDS_LIMIT seconds, and leaves no process behind."""

import asyncio
import contextlib
import errno
import fcntl
import io
import os
import shutil
import signal
import socket
import sys
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

from demo.accounts import FOLDER, NotMade, make_accounts
from demo.board import Board
from demo.hall import Hall, read_hall
from demo.morning import play_morning
from demo.options import Options, read_options
from demo.people import GUESTS, PASSWORD
from demo.picture import render
from demo.server import DemoPage, serving
from demo.stage import LOOPBACK, SITE_FILE, Stage, free_port, programs
from demo.terminal import alone_at_the_terminal
from demo.watcher import Watcher
from protocol.environment import WrongSetting

WRONG_OPTION_STATUS = 2
FAILED_STATUS = 1
START_MOST_S = 60.0
LOG_LINES = 8
LOCK = "lock"
# The folders that a demo makes at each start, besides its lock and the accounts that it keeps.
OWN_FOLDERS = ("broker", "hub", "logs", "nodes", "publik")


# What a disk that takes nothing more answers.
DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})


class DemoFailed(RuntimeError):
    """Why the demo could not start or continue, in one sentence."""


def main() -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that is not in UTF-8 shows ? for what it lacks.
            stream.reconfigure(errors="replace")
    try:
        options = read_options(os.environ)
        with _own_folder(options.demo_dir), alone_at_the_terminal(), _disk_of(options.demo_dir):
            return asyncio.run(_run(options))
    except BrokenPipeError:
        # Nobody reads the output any more. Python would write the rest of it at its exit, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED_STATUS
    except WrongSetting as error:
        print(f"demo: {error}.", file=sys.stderr)
        return WRONG_OPTION_STATUS
    except DemoFailed as error:
        print(f"demo: {error}", file=sys.stderr)
        return FAILED_STATUS


@contextlib.contextmanager
def _disk_of(folder: Path) -> Iterator[None]:
    """Raises DemoFailed for an error of the disk."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        raise DemoFailed(
            f"DEMO_DIR is {folder}: {error.strerror}; free some space there, or set it to another folder"
        ) from error


@contextlib.contextmanager
def _own_folder(folder: Path) -> Iterator[None]:
    """Empty the folder of an earlier demo and lock it: two demos in one folder would take each other's sockets.

    A folder that holds anything else is refused and not touched.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strange = _strange(folder)
        if strange:
            raise DemoFailed(f"{folder} holds {min(strange)}, which no demo wrote: set DEMO_DIR to an empty folder")
        opened = (folder / LOCK).open("a")
    except OSError as error:
        raise DemoFailed(f"DEMO_DIR is {folder}: {error.strerror}; set it to a folder that you may write to") from error
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DemoFailed(
                f"another demo is running in {folder}: end it, or set DEMO_DIR to another folder"
            ) from error
        for name in OWN_FOLDERS:
            shutil.rmtree(folder / name, ignore_errors=True)
        yield


def _strange(folder: Path) -> set[str]:
    """The entries that are not a demo's: all of them without the lock, which a demo makes first and leaves there."""
    names = {entry.name for entry in folder.iterdir()}
    return names - {*OWN_FOLDERS, FOLDER, LOCK} if LOCK in names else names


async def _run(options: Options) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)

    hall = read_hall(SITE_FILE)
    listener = _listen(options.port)
    port = listener.getsockname()[1]
    stage = Stage(
        options.demo_dir, broker_port=free_port(), hub_port=free_port(port + 1), publik_port=free_port(port + 2)
    )
    board = Board()
    watcher = Watcher(board, hall, stage)
    status = FAILED_STATUS
    try:
        status = await _play(options, hall, stage, board, watcher, listener, stop)
    finally:
        left = await watcher.crew.stop()
        print(_farewell(watcher.crew.count, left), flush=True)
    return FAILED_STATUS if left else status


async def _play(
    options: Options,
    hall: Hall,
    stage: Stage,
    board: Board,
    watcher: Watcher,
    listener: socket.socket,
    stop: asyncio.Event,
) -> int:
    try:
        cast = programs(stage, hall, os.environ)
    except FileNotFoundError as error:
        raise DemoFailed("mosquitto, the MQTT broker, is not installed: run `make install`") from error
    page = DemoPage(
        board,
        watcher.hands,
        page=lambda language: render(hall, hub=stage.hub_url, speed=options.speed, language=language),
        frame=stage.node_folder(hall.display.name) / "frame.png",
        papers=stage.node_folder(hall.dispenser.name) / "paper",
        pins=_pins(hall),
        pressed=watcher.viewer_pressed,
        scan=watcher.viewer_scanned,
        restart=watcher.restart,
    )
    async with serving(page.app(), listener):
        print(_page_address(listener.getsockname()[1]), flush=True)
        tasks = [asyncio.create_task(watcher.run())]
        try:
            hub = next(program for program in cast if program.name == "hub")
            for program in cast:
                if program is not hub:
                    watcher.crew.start(program)
            # The accounts are made before the hub starts.
            if not await _done(make_accounts(hub.environ), stop):
                return 0
            print("demo: starting the hub. The morning begins once all programs are up.", flush=True)
            watcher.crew.start(hub)
            if await _until_up(board, hall, stop, stage):
                print(_addresses(stage, hall), flush=True)
                morning = play_morning(
                    options, hall, stage, board, hands=watcher.hands, publik=watcher.publik, scan=watcher.scan
                )
                tasks.append(asyncio.create_task(morning))
                if options.seconds_limit:
                    asyncio.get_running_loop().call_later(options.seconds_limit, stop.set)
                await _until_ended(stop, tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await watcher.publik.close()
    return 0


async def _done(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> bool:
    """Do the work; False if the demo was stopped before its end. Raises DemoFailed."""
    task = asyncio.create_task(work)
    try:
        await _until_ended(stop, [task])
    except NotMade as error:
        raise DemoFailed(f"the accounts of the demo's people could not be created: {error}") from error
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return not stop.is_set()


async def _until_up(board: Board, hall: Hall, stop: asyncio.Event, stage: Stage) -> bool:
    """Wait for all programs to be up; False if the demo was stopped first. Raises DemoFailed if one does not start."""
    parts = ["broker", "publik", "hub", "display", "dispenser", *(node.name for node in hall.of_role("desk_button"))]
    deadline_s = asyncio.get_running_loop().time() + START_MOST_S
    while not stop.is_set():
        states = {part: board.part(part).get("state") for part in parts}
        if all(state == "up" for state in states.values()):
            return True
        ended = [part for part, state in states.items() if state == "ended"]
        late = [part for part, state in states.items() if state != "up"]
        if ended or asyncio.get_running_loop().time() > deadline_s:
            raise DemoFailed(_why_not(stage, hall, (ended or late)[0]))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 0.1)
    return False


async def _until_ended(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    stopped = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    for task in done & set(tasks):
        task.result()


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as error:
        listener.bind((LOOPBACK, 0))
        print(f"demo: port {port} is not free ({error.strerror}); the demo uses another one.", file=sys.stderr)
    # From now on a browser waits for the page instead of being refused.
    listener.listen()
    return listener


def _pins(hall: Hall) -> dict[str, frozenset[int]]:
    buttons = {node.name: frozenset({node.button_pin}) for node in hall.buttons.values()}
    return buttons | {hall.dispenser.name: frozenset(hall.dispenser.pins.values())}


def _why_not(stage: Stage, hall: Hall, part: str) -> str:
    name = {"display": hall.display.name, "dispenser": hall.dispenser.name}.get(part, part)
    log = stage.folder / "logs" / f"{name}.log"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:] if log.exists() else []
    return "\n  ".join([f"{name} did not start; the last lines of {log}:", *lines])


def _page_address(port: int) -> str:
    page = f"http://{LOOPBACK}:{port}/"
    return f"\n  The hall, live:  {page}   in English: {page}?lang=en\n"


def _addresses(stage: Stage, hall: Hall) -> str:
    first, last = hall.desks[0].name, hall.desks[-1].name
    return (
        f"\n  Desk pages:      {stage.hub_url}/desks/{first} … {last}\n"
        f"  Log in there as  {', '.join(member.account for member in GUESTS)}; password {PASSWORD}\n"
        f"  The hub’s API:   {stage.hub_url}/api/v1/openapi.json   once logged in\n"
        f"  Logs, database:  {stage.folder}/\n\n"
        "  Ctrl-C ends it.\n"
    )


def _farewell(count: int, left: tuple[int, ...]) -> str:
    if left:
        return f"demo: these processes did not end: {', '.join(map(str, left))}"
    return f"demo: all {count} programs are stopped; a check found no process left."


if __name__ == "__main__":
    sys.exit(main())
