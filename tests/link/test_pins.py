"""The pins, through gpiozero."""

import os
import tempfile
from collections.abc import Iterator

import pytest
from gpiozero import LED, Device  # type: ignore[import-untyped]
from gpiozero.pins.mock import MockFactory, MockPin  # type: ignore[import-untyped]

from nodes.events import PinChanged, PinsUnusable, PinsUsable
from nodes.pins import Pins, require_pins
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
        pins.use((5, 17), 27)
        pins.light(True)
    assert [type(each) for each in said if not isinstance(each, PinChanged)] == [PinsUnusable, PinsUnusable]
    assert shown == []
    holder.close()
    said.clear()
    pins.use((5, 17), 27)
    pins.light(True)
    assert [(each.pin, each.pressed) for each in said[:-1] if isinstance(each, PinChanged)] == [(5, False), (17, False)]
    assert said[-1] == PinsUsable()
    assert shown == [(27, True)]
    pins.close()


class _Busy(MockPin):
    """A pin that another program holds: lgpio raises an error class of its own, which gpiozero passes on."""

    def __init__(self, *_: object) -> None:
        raise type("error", (Exception,), {})("'GPIO busy'")


def test_an_error_of_the_pins_library_itself_is_said_and_ends_nothing():
    Device.pin_factory = MockFactory(pin_class=_Busy)
    said: list[object] = []
    Pins(said.append, lambda *_: None).use((5, 17), 27)
    assert said == [PinsUnusable("'GPIO busy'")]


@pytest.mark.parametrize("environ", [{}, {"LG_WD": "/run/suivant-node"}])
def test_what_the_pins_library_writes_goes_where_a_service_may_write(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
):
    before = environ.get("LG_WD")
    monkeypatch.setattr(os, "environ", environ)
    require_pins()
    assert environ["LG_WD"] == (before or tempfile.gettempdir())
