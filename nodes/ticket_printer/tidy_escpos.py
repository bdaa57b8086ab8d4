"""The parts of python-escpos, loaded without a trace.

At its import python-escpos makes a folder among the temporary files, for the list of printers that it has read, and
never takes it away: with a memory card, or where systemd starts the program again and again, they would fill it.
"""

import tempfile

_usual = tempfile.tempdir
with tempfile.TemporaryDirectory() as _folder:
    tempfile.tempdir = _folder
    try:
        from escpos.capabilities import BaseProfile  # type: ignore[import-untyped]
        from escpos.exceptions import DeviceNotFoundError  # type: ignore[import-untyped]
        from escpos.printer import Dummy, File, Network, Usb  # type: ignore[import-untyped]
    finally:
        tempfile.tempdir = _usual

__all__ = ["BaseProfile", "DeviceNotFoundError", "Dummy", "File", "Network", "Usb"]
