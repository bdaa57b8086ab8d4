"""Wires a desk button together: pins, link, core."""

import os
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

import structlog
from gpiozero import LED, Button, GPIOZeroError  # type: ignore[import-untyped]

from nodes.desk_button.core import DeskButton, Light, UsePins
from nodes.events import PinChanged, PinsUnusable
from nodes.pins import require_pins
from nodes.runtime import Inbox, Runtime
from nodes.settings import configure_logging, read_settings
from nodes.simulated import BadLine, ControlSocket, Input, PinInput, open_control, use_mock_pins
from protocol.heartbeat import HubTime
from protocol.link import monotonic_ms
from protocol.messages import Role

BOOT_BYTES = 8

_log = structlog.get_logger()


class Pins:
    """The button's contact to ground and its lamp. Callbacks only put into the inbox."""

    def __init__(self, put: Callable[[object], None], shown: Callable[[int, bool], None]) -> None:
        self._put = put
        self._shown = shown
        self._button: Button | None = None
        self._led: LED | None = None
        self._led_pin = 0
        self._refused = ""

    def perform(self, effect: object) -> None:
        match effect:
            case UsePins(button, led):
                self._use(button, led)
            case Light(lit) if self._led is not None:
                self._led.value = lit
                self._shown(self._led_pin, lit)

    def close(self) -> None:
        for device in (self._button, self._led):
            if device is not None:
                device.close()
        self._button = self._led = None

    def _use(self, button_pin: int, led_pin: int) -> None:
        self.close()
        try:
            self._led, self._led_pin = LED(led_pin), led_pin
            # No bounce time: gpiozero's filter drops edges; ours is in nodes/debounce.py.
            self._button = Button(button_pin, pull_up=True, bounce_time=None)
        except (GPIOZeroError, OSError) as error:
            # The hub may send better pins, or these be let go; until then the node is there and says so.
            if str(error) != self._refused:
                _log.exception("pins.unusable", button=button_pin, led=led_pin, reason=str(error))
            self._refused = str(error)
            self.close()
            self._put(PinsUnusable(str(error)))
            return
        self._refused = ""
        self._button.when_pressed = lambda: self._put(PinChanged(button_pin, True, monotonic_ms()))
        self._button.when_released = lambda: self._put(PinChanged(button_pin, False, monotonic_ms()))
        self._put(PinChanged(button_pin, self._button.is_pressed, monotonic_ms()))


def run(environ: Mapping[str, str], simulated: Path | None) -> int:
    """Until it is stopped; the exit status. Raises WrongSetting."""
    settings = read_settings(environ)
    configure_logging(settings.node)
    inbox, hub_time = Inbox(), HubTime()
    control = None if simulated is None else _control(simulated)
    if control is None:
        require_pins()
    pins = Pins(inbox.put, _shown_on(control))
    core = DeskButton(settings.node.topics, settings.node.node, hub_time, os.urandom, monotonic_ms())
    runtime = Runtime(
        settings,
        Role.DESK_BUTTON,
        core,
        pins.perform,
        inbox=inbox,
        hub_time=hub_time,
        version=version("suivant"),
        boot=os.urandom(BOOT_BYTES).hex(),
        environ=environ,
    )
    try:
        return runtime.run()
    finally:
        pins.close()
        if control is not None:
            control.close()


def _control(folder: Path) -> ControlSocket:
    drive = use_mock_pins()

    def obey(wanted: Input) -> None:
        if not isinstance(wanted, PinInput):
            raise BadLine("a desk button has pins alone")
        drive(wanted)

    return open_control(folder, obey)


def _shown_on(control: ControlSocket | None) -> Callable[[int, bool], None]:
    if control is None:
        return lambda _pin, _lit: None
    return lambda pin, lit: control.show(f"led {pin}", {"led": pin, "on": lit})
