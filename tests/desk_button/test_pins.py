"""The pins as gpiozero has them."""

from collections.abc import Iterator

import pytest
from gpiozero import LED, Device  # type: ignore[import-untyped]

from nodes.desk_button.app import Pins
from nodes.desk_button.core import Light, UsePins
from nodes.events import PinChanged, PinsUnusable
from nodes.simulated import use_mock_pins


@pytest.fixture(autouse=True)
def mock_pins() -> Iterator[None]:
    before = Device.pin_factory
    use_mock_pins()
    yield
    Device.pin_factory.reset()
    Device.pin_factory = before


def test_pins_that_somebody_held_can_be_used_once_they_are_let_go():
    said: list[object] = []
    shown: list[tuple[int, bool]] = []
    pins = Pins(said.append, lambda pin, lit: shown.append((pin, lit)))
    holder = LED(17)
    for _ in range(2):
        pins.perform(UsePins(17, 27))
        pins.perform(Light(True))
    assert [type(each) for each in said] == [PinsUnusable, PinsUnusable]
    assert shown == []
    holder.close()
    pins.perform(UsePins(17, 27))
    pins.perform(Light(True))
    assert isinstance(said[-1], PinChanged)
    assert shown == [(27, True)]
    pins.close()
