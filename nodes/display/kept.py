"""What a display keeps on disk: its last hall state and the announcements it has played.

Written without fsync: a process that dies loses nothing, and after a power cut the start takes longer than the 20 s for
which an announcement may be played.
"""

from pathlib import Path

import msgspec

from nodes.display.core import Kept

_IDS = msgspec.json.Decoder(tuple[str, ...])


class KeptFiles:
    """Two files, each replaced atomically."""

    def __init__(self, folder: Path) -> None:
        self._hall = folder / "hall.json"
        self._played = folder / "played.json"

    def load(self) -> Kept:
        """What is on disk; an unreadable file counts as missing."""
        return Kept(hall=_read(self._hall), played=self._load_played())

    def keep_hall(self, payload: bytes) -> None:
        """Raises OSError if the disk does not take it."""
        _replace(self._hall, payload)

    def keep_played(self, ids: tuple[str, ...]) -> None:
        """Raises OSError if the disk does not take it."""
        _replace(self._played, msgspec.json.encode(ids))

    def _load_played(self) -> tuple[str, ...]:
        payload = _read(self._played)
        if payload is None:
            return ()
        try:
            return _IDS.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return ()


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _replace(path: Path, payload: bytes) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_bytes(payload)
    fresh.replace(path)
