"""What a check of an outside system found, one sentence each."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    NOTE = "note"
    WRONG = "WRONG"


@dataclass(frozen=True, slots=True)
class Finding:
    level: Level
    words: str

    def __str__(self) -> str:
        return f"{self.level:<7}{self.words}"
