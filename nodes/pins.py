"""The pins of a Raspberry Pi, where there are some."""

from gpiozero import Device, GPIOZeroError  # type: ignore[import-untyped]

from protocol.environment import WrongSetting


def require_pins() -> None:
    """Raises WrongSetting where no pin can be reached from here."""
    try:
        Device.ensure_pin_factory()
    except (GPIOZeroError, OSError, ImportError) as error:
        wanted = f"a pin factory that works here, such as lgpio on a Raspberry Pi ({error}), or run with --simulated"
        raise WrongSetting("GPIOZERO_PIN_FACTORY", None, wanted) from error
