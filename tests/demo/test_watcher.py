"""What the page is told of a dispenser that prints for viewers and for the script."""

import asyncio
import itertools
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from demo.board import Board, Part
from demo.hall import read_hall
from demo.stage import SITE_FILE, Stage
from demo.watcher import Watcher


async def print_for_each_line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A dispenser that shows a first paper at once and another one for each line that it gets."""
    for number in itertools.count():
        writer.write(json.dumps({"paper": f"{number}.png"}).encode() + b"\n")
        if not await reader.readline():
            writer.close()
            return


async def newest(parts: "asyncio.Queue[Part | None]", paper: str) -> Part:
    """Wait until the page is told of that paper."""
    while True:
        part = await asyncio.wait_for(parts.get(), 20)
        if part is not None and part.get("papers", [""])[0] == paper:
            return part


async def told(folder: Path) -> Part:
    """The dispenser's part after a viewer's scan and four of the script's."""
    hall, board = read_hall(SITE_FILE), Board()
    stage = Stage(folder, broker_port=1, hub_port=1, publik_port=1)
    stage.node_folder(hall.dispenser.name).mkdir(parents=True)
    server = await asyncio.start_unix_server(
        print_for_each_line, stage.node_folder(hall.dispenser.name) / "control.sock"
    )
    watcher, parts = Watcher(board, hall, stage), board.listen()
    watching = asyncio.create_task(watcher.run())
    try:
        await newest(parts, "0.png")
        watcher.viewer_scanned("K7M2Q9")
        await newest(parts, "1.png")
        for number in range(2, 5):
            watcher.scan("K7M2Q9")
            await newest(parts, f"{number}.png")
        watcher.scan("K7M2Q9")
        return await newest(parts, "5.png")
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await watcher.publik.close()
        server.close()


def test_a_viewers_ticket_stays_among_those_that_the_page_shows():
    # The path of a Unix socket is limited to 107 bytes.
    with TemporaryDirectory() as folder:
        part = asyncio.run(told(Path(folder)))
    assert part["yours"] == "1.png"
    assert part["papers"] == ["5.png", "4.png", "1.png"]
