"""From edges at the dispenser's pins to presses. Pure."""

from dataclasses import dataclass, field

from nodes.debounce import Debouncer
from nodes.ticket_printer.events import UsePins
from protocol.messages import ServiceButton, TicketPrinterConfig

# A double press, or an impatient one, is one ticket; the next visitor needs longer to step up.
AGAIN_MS = 1_000
STUCK_MS = 10_000
# Another program may hold a pin for a while, such as an earlier run of this one.
PINS_AGAIN_MS = 30_000


@dataclass(slots=True)
class _Button:
    service: str
    level: Debouncer = field(default_factory=Debouncer)
    ready_at_ms: int = 0


class Buttons:
    """One button a service. A press counts when the contact has closed: a visitor expects the ticket at once."""

    def __init__(self, buttons: tuple[ServiceButton, ...]) -> None:
        self._buttons = {each.pin: _Button(each.service) for each in buttons}

    def edge(self, pin: int, pressed: bool, at_ms: int) -> str | None:
        """The service whose press that edge made certain, or None."""
        button = self._buttons.get(pin)
        if button is None:
            return None
        return self._pressed(button) if button.level.edge(pressed, at_ms) else None

    def advance(self, now_ms: int) -> list[str]:
        """The services pressed since the last call."""
        changed = [button for button in self._buttons.values() if button.level.advance(now_ms)]
        return [service for service in map(self._pressed, changed) if service is not None]

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


class Pins:
    """The pins that the configuration names: used once, and tried again while they cannot be used."""

    def __init__(self) -> None:
        self._named: tuple[tuple[ServiceButton, ...], int] = (), 0
        self._again_at_ms: int | None = None

    @property
    def unusable(self) -> bool:
        return self._again_at_ms is not None

    def configured(self, config: TicketPrinterConfig) -> UsePins | None:
        """What is to be used now, or None where it is in use."""
        named = config.buttons, config.led_pin
        if named == self._named and not self.unusable:
            return None
        self._named = named
        return self._use()

    def tried(self, now_ms: int, *, usable: bool) -> None:
        self._again_at_ms = None if usable else now_ms + PINS_AGAIN_MS

    def again(self, now_ms: int) -> UsePins | None:
        """What is to be tried once more, or None where it is in use or was tried just now."""
        if self._again_at_ms is None or now_ms < self._again_at_ms:
            return None
        self._again_at_ms = now_ms + PINS_AGAIN_MS
        return self._use()

    def _use(self) -> UsePins:
        buttons, led = self._named
        return UsePins(tuple(each.pin for each in buttons), led)
