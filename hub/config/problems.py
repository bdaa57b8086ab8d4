"""What is wrong with a site file, or looks wrong."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """`key`: where in the file, `services.identity.opens`; empty for the file as a whole. A `warning` stops nothing."""

    line: int
    key: str
    what: str
    warning: bool = False

    def __str__(self) -> str:
        return f"{self.key}: {self.what}" if self.key else self.what
