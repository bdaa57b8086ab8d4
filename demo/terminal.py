"""Ctrl-C for the demo alone."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def alone_at_the_terminal() -> Iterator[None]:
    """Within it, the keys of the terminal signal this program and what it starts, not the `make` that waits for it.

    A terminal signals its whole foreground process group, and GNU make then dies of the same SIGINT with status 130,
    however well its command ended. So this program takes a group of its own to the foreground and gives the place back.
    Ctrl-Z is out of use meanwhile: nobody would be left to continue it. Without a terminal nothing is changed.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        yield
        return
    before = os.tcgetpgrp(terminal)
    if before != os.getpgrp() or before == os.getpid():
        os.close(terminal)
        yield
        return
    # Whoever is not in front may not change who is, but where it does not mind being told so.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.tcsetpgrp(terminal, os.getpgrp())
    try:
        yield
    finally:
        with suppress(OSError):  # the terminal is closed, or the group that waited is gone
            os.tcsetpgrp(terminal, before)
        os.close(terminal)
