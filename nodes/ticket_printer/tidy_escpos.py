"""The parts of python-escpos, loaded at once and without a trace.

At its import python-escpos makes a folder among the temporary files, for the list of printers that it has read, and
never takes it away: with a memory card, or where systemd starts the program again and again, they would fill it. And
it reads that list, which is JSON, as YAML: 150 times as long, seconds on a Pi. It takes a list that was kept before, so
we keep one for it: its own, whatever ESCPOS_CAPABILITIES_FILE says.
"""

import json
import os
import pickle
import platform
import tempfile
from importlib.resources import files
from pathlib import Path

_KEPT_IN = "ESCPOS_CAPABILITIES_PICKLE_DIR"

_usual = tempfile.tempdir
with tempfile.TemporaryDirectory() as _folder:
    tempfile.tempdir = _folder
    os.environ[_KEPT_IN] = _folder
    try:
        _printers = json.loads(files("escpos").joinpath("capabilities.json").read_bytes())
        Path(_folder, f"{platform.python_version()}.capabilities.pickle").write_bytes(pickle.dumps(_printers))

        from escpos.capabilities import BaseProfile  # type: ignore[import-untyped]
        from escpos.exceptions import DeviceNotFoundError  # type: ignore[import-untyped]
        from escpos.printer import Dummy, File, Network, Usb  # type: ignore[import-untyped]
    finally:
        tempfile.tempdir = _usual
        del os.environ[_KEPT_IN]

__all__ = ["BaseProfile", "DeviceNotFoundError", "Dummy", "File", "Network", "Usb"]
