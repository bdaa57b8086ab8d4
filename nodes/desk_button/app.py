"""Wires a desk button together: pins, link, core."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from nodes.desk_button.core import DeskButton
from nodes.events import Light, UsePins
from nodes.pins import Pins, require_pins
from nodes.runtime import Inbox, Runtime
from nodes.settings import configure_logging, read_settings
from nodes.simulated import BadLine, ControlSocket, Input, PinInput, open_control, use_mock_pins
from protocol.heartbeat import HubTime
from protocol.link import monotonic_ms
from protocol.messages import Role


def run(environ: Mapping[str, str], simulated: Path | None) -> int:
    """Run until stopped; returns the exit status. Raises WrongSetting, or NotNow if no pin can be reached."""
    settings = read_settings(environ)
    configure_logging(settings.node)
    inbox, hub_time = Inbox(), HubTime()
    control = None if simulated is None else _control(simulated)
    if control is None:
        require_pins()
    pins = Pins(inbox.put, _shown_on(control))

    def perform(effect: object) -> None:
        match effect:
            case UsePins(buttons, led):
                pins.use(buttons, led)
            case Light(lit):
                pins.light(lit)

    core = DeskButton(settings.node.topics, settings.node.node, hub_time, os.urandom, monotonic_ms())
    runtime = Runtime(
        settings,
        Role.DESK_BUTTON,
        core,
        perform,
        inbox=inbox,
        hub_time=hub_time,
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
            raise BadLine("a desk button takes only pin input")
        drive(wanted)

    return open_control(folder, obey)


def _shown_on(control: ControlSocket | None) -> Callable[[int, bool], None]:
    if control is None:
        return lambda _pin, _lit: None
    return lambda pin, lit: control.show(f"led {pin}", {"led": pin, "on": lit})
