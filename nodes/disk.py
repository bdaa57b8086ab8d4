"""Flushes to the disk what must survive a power cut."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Flush the folder's entries, so that a file just created or renamed there survives. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
