"""The connection to one simulated node: JSON lines over the Unix socket in its folder."""

import asyncio
import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

RETRY_S = 0.3
LINE_MOST = 65_536


class Control:
    """Keeps a connection to a node. `on_line` gets what the node shows; `on_up` gets whether the socket is there."""

    def __init__(self, folder: Path, on_line: Callable[[dict[str, Any]], None], on_up: Callable[[bool], None]) -> None:
        self._folder = folder
        self._on_line = on_line
        self._on_up = on_up
        self._writer: asyncio.StreamWriter | None = None

    @property
    def up(self) -> bool:
        return self._writer is not None

    async def run(self) -> None:
        """Connect, and reconnect, until cancelled."""
        while True:
            try:
                with contextlib.suppress(OSError, ValueError):
                    reader, self._writer = await self._connect()
                    self._on_up(True)
                    while line := await reader.readline():
                        self._on_line(json.loads(line))
            finally:
                self._hang_up()
            await asyncio.sleep(RETRY_S)

    def _hang_up(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            self._on_up(False)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        # A Unix socket's path is limited to 107 bytes; connecting by way of an open folder avoids the limit.
        opened = os.open(self._folder, os.O_PATH | os.O_DIRECTORY)
        try:
            return await asyncio.open_unix_connection(f"/proc/self/fd/{opened}/control.sock", limit=LINE_MOST)
        finally:
            os.close(opened)

    def drive(self, pin: int, *, pressed: bool) -> bool:
        """Press or release a pin; False if the node is not connected."""
        return self.send({"pin": pin, "pressed": pressed})

    def send(self, line: dict[str, Any]) -> bool:
        if self._writer is None:
            return False
        self._writer.write(json.dumps(line).encode() + b"\n")
        return True
