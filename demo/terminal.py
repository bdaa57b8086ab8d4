"""Makes Ctrl-C reach only the demo."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def alone_at_the_terminal() -> Iterator[None]:
    """Within it, the terminal's keys signal this program and what it starts, but not the `make` that waits for it.

    A terminal signals its whole foreground process group, and GNU make then dies of the same SIGINT with status 130,
    even if its command ended well. So this program puts its own group into the foreground, and restores the previous
    one at the end. Ctrl-Z is ignored meanwhile, since nothing could continue the program. Without a terminal nothing
    is changed.
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
    # A background process may change the foreground group only if it ignores SIGTTOU.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.tcsetpgrp(terminal, os.getpgrp())
    try:
        yield
    finally:
        with suppress(OSError):  # the terminal is closed, or the previous group is gone
            os.tcsetpgrp(terminal, before)
        os.close(terminal)
