"""The GPIO pins of a Raspberry Pi."""

import os
import tempfile
from collections.abc import Callable

import structlog
from gpiozero import LED, BadPinFactory, Button, Device  # type: ignore[import-untyped]

from nodes.events import PinChanged, PinsUnusable, PinsUsable
from nodes.settings import NotNow
from protocol.environment import WrongSetting
from protocol.link import monotonic_ms

_log = structlog.get_logger()


def require_pins() -> None:
    """Load the pin factory. Raises WrongSetting if GPIOZERO_PIN_FACTORY names none, NotNow if pins are out of reach."""
    # lgpio creates a pipe in the working directory, which a service may not be allowed to write to.
    os.environ.setdefault("LG_WD", tempfile.gettempdir())
    named = os.environ.get("GPIOZERO_PIN_FACTORY", "")
    # Without a name, gpiozero would try others where lgpio is missing, and drive the pins in ways nobody has tested.
    os.environ["GPIOZERO_PIN_FACTORY"] = named or "lgpio"
    try:
        Device.ensure_pin_factory()
    except Exception as error:
        if named and isinstance(error, BadPinFactory):
            wanted = f"a gpiozero pin factory that works here, such as lgpio ({error}); without pins, use --simulated"
            raise WrongSetting("GPIOZERO_PIN_FACTORY", named, wanted) from error
        # During boot the system may not have created the pins yet, or not have given this user access.
        way = "run this on a Raspberry Pi that has lgpio, as a user in the group gpio, or use --simulated"
        raise NotNow(f"the GPIO pins cannot be used ({error}): {way}") from error


class Pins:
    """A node's buttons, wired to ground, and its lamp. Callbacks only put events into the inbox."""

    def __init__(self, put: Callable[[object], None], shown: Callable[[int, bool], None]) -> None:
        self._put = put
        self._shown = shown
        self._devices: list[Button | LED] = []
        self._led: LED | None = None
        self._led_pin = 0
        self._failed = ""

    def use(self, buttons: tuple[int, ...], led: int) -> None:
        """Open the pins. Puts each button's level and then PinsUsable, or PinsUnusable on failure."""
        self.close()
        try:
            self._led, self._led_pin = LED(led), led
            self._devices = [self._led]
            for pin in buttons:
                self._devices.append(self._button(pin))
        except Exception as error:  # noqa: BLE001 - lgpio's own errors are neither gpiozero's nor the system's
            # The pins may be free later, or the hub may configure others. Until then the node runs and reports this.
            if str(error) != self._failed:
                _log.exception("pins.unusable", buttons=buttons, led=led, reason=str(error))
            self._failed = str(error)
            self.close()
            self._put(PinsUnusable(str(error)))
            return
        self._failed = ""
        self._put(PinsUsable())

    def light(self, lit: bool) -> None:
        if self._led is not None:
            self._led.value = lit
            self._shown(self._led_pin, lit)

    def close(self) -> None:
        for device in self._devices:
            device.close()
        self._devices, self._led = [], None

    def _button(self, pin: int) -> Button:
        # No bounce time: gpiozero's filter drops edges. nodes/debounce.py debounces.
        button = Button(pin, pull_up=True, bounce_time=None)
        button.when_pressed = lambda: self._put(PinChanged(pin, True, monotonic_ms()))
        button.when_released = lambda: self._put(PinChanged(pin, False, monotonic_ms()))
        self._put(PinChanged(pin, button.is_pressed, monotonic_ms()))
        return button
