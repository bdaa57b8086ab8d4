"""The dispenser's pins, on gpiozero's mock ones."""

from collections.abc import Iterator

import pytest
from gpiozero import LED, Device
from gpiozero.pins.mock import MockFactory

from nodes.events import PinsUnusable
from nodes.ticket_printer.events import PinsUsable
from nodes.ticket_printer.stage import Pins


@pytest.fixture
def mock_pins() -> Iterator[None]:
    before = Device.pin_factory
    Device.pin_factory = MockFactory()
    yield
    Device.pin_factory.close()
    Device.pin_factory = before


@pytest.mark.usefixtures("mock_pins")
def test_a_pin_that_another_held_can_be_used_once_it_is_free() -> None:
    said: list[object] = []
    pins = Pins(said.append, lambda _pin, _lit: None)
    other = LED(6)
    pins.use((5, 6), 22)
    assert isinstance(said[-1], PinsUnusable)
    other.close()
    pins.use((5, 6), 22)
    assert said[-1] == PinsUsable()
    pins.close()
