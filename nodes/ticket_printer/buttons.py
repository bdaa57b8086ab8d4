"""Turns edges at the dispenser's pins into presses. Pure."""

from dataclasses import dataclass, field

from nodes.debounce import Debouncer
from protocol.messages import ServiceButton

# Presses within this time give one ticket: a double or impatient press. The next visitor needs longer to step up.
AGAIN_MS = 1_000
STUCK_MS = 10_000


@dataclass(slots=True)
class _Button:
    service: str
    level: Debouncer = field(default_factory=Debouncer)
    ready_at_ms: int = 0


class Buttons:
    """One button for each service. A press counts as soon as the contact closes: visitors expect the ticket at once."""

    def __init__(self, buttons: tuple[ServiceButton, ...]) -> None:
        self._buttons = {each.pin: _Button(each.service) for each in buttons}

    def edge(self, pin: int, pressed: bool, at_ms: int) -> str | None:
        """The service whose press this edge confirms, or None."""
        button = self._buttons.get(pin)
        if button is None:
            return None
        return self._pressed(button) if button.level.edge(pressed, at_ms) else None

    def advance(self, now_ms: int) -> list[str]:
        """The services pressed since the last call."""
        changed = [button for button in self._buttons.values() if button.level.advance(now_ms)]
        return [service for service in map(self._pressed, changed) if service is not None]

    def settle(self) -> None:
        """Take the current levels as the initial ones: a contact that is closed makes no press until it has opened."""
        for button in self._buttons.values():
            button.level.settle()

    def due_ms(self) -> int | None:
        due = (button.level.due_ms() for button in self._buttons.values())
        return min((each for each in due if each is not None), default=None)

    def stuck(self, now_ms: int) -> tuple[int, ...]:
        """Pins held for 10 s or more."""
        return tuple(
            pin
            for pin, button in self._buttons.items()
            if button.level.pressed and now_ms - button.level.since_ms >= STUCK_MS
        )

    def _pressed(self, button: _Button) -> str | None:
        if not button.level.pressed or button.level.since_ms < button.ready_at_ms:
            return None
        button.ready_at_ms = button.level.since_ms + AGAIN_MS
        return button.service
