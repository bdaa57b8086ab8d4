"""For tests that start Debian's servers: where their programs are, and when they listen."""

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
    """Wait until the server accepts a connection on loopback. Raises OSError after the limit.

    Raises RuntimeError with the end of its log if it has ended instead.
    """
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
