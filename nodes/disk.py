"""What is to be on the disk after a power cut, not only with the system."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Its names: a file that was made or renamed there is there. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
