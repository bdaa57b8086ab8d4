"""Keeps the last configuration on disk, so that a node that starts without its hub knows what it is for."""

import os
from pathlib import Path
from tempfile import TemporaryFile

import structlog

from nodes.disk import sync_folder
from nodes.settings import NodeSettings
from protocol.environment import WrongSetting


class KeptConfig:
    """One file, replaced atomically: after a power cut it holds the old text or the new one, never a part."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "config.json"

    def load(self) -> bytes | None:
        """The payload last kept, or None if there is none. Raises OSError if it cannot be read."""
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return None

    def keep(self, payload: bytes) -> None:
        """Replace the kept payload. Raises OSError if the disk does not take it; the old one then stays."""
        fresh = self._path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        sync_folder(self._path.parent)


def usable_folder(node: NodeSettings) -> Path:
    """The node's `kept_dir`, created if missing. Raises WrongSetting if this program may not write to it.

    A full or read-only card is only logged: a node works without the folder.
    """
    folder = node.kept_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        wanted = f"a folder this program may write to ({error})"
        raise WrongSetting("SUIVANT_STATE_DIR", str(node.state_dir), wanted) from error
    except OSError as error:
        structlog.get_logger().warning("state_dir.unusable", path=str(folder), reason=str(error))
    return folder
