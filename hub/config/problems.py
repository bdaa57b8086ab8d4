"""What is wrong with a site file, or looks wrong."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """`key`: the place, such as `services.identity.opens`; empty for the whole file. A `warning` stops nothing."""

    line: int
    key: str
    what: str
    warning: bool = False

    def __str__(self) -> str:
        return f"{self.key}: {self.what}" if self.key else self.what
