"""Imports the parts of python-escpos that we use, quickly and without leaving files behind.

On import, python-escpos creates a temporary folder to cache its list of printers and never removes it: after many
restarts these folders would fill a memory card. It also parses that list, which is JSON, as YAML, which takes 150 times
as long: seconds on a Pi. It accepts a cached list, so we prepare one from its own list, whatever
ESCPOS_CAPABILITIES_FILE says.
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
