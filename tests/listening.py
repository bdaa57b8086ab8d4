"""Servers of Debian that a test starts: where their programs are, and when they listen."""

import os
import socket
import subprocess
import time
from collections.abc import Callable


def search_path() -> dict[str, str]:
    """The environment with /usr/sbin on the path: Debian keeps servers there, and not every user's path has it."""
    return os.environ | {"PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"}


def until_it_listens(
    process: "subprocess.Popen[bytes] | None", port: int, name: str, log: Callable[[], str], limit_s: float
) -> None:
    """Until it takes a connection on loopback; one that ended instead says why by the end of its log."""
    until = time.monotonic() + limit_s
    while True:
        if process is None or process.poll() is not None:
            raise RuntimeError(f"{name} did not start: {log()[-2000:]}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return
