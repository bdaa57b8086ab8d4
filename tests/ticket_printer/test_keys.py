"""From keys to codes: scanners, and fingers on a keypad."""

import pytest

from nodes.ticket_printer.events import KeyboardAway, KeyboardThere, KeyChanged, KeysLost, Scanned
from nodes.ticket_printer.keys import CODE_MOST, FORGOTTEN_MS, Keyboards, Typing

SCANNER, KEYPAD = "/dev/input/scanner", "/dev/input/keypad"
# linux/input-event-codes.h
BACKSPACE, ENTER, KEYPAD_ENTER, SHIFT, RIGHT_SHIFT, CONTROL = 14, 28, 96, 42, 54, 29
KEY_A, KEY_M, KEY_1, KEY_MINUS, KEYPAD_1, KEYPAD_MINUS, CAPS_LOCK = 30, 50, 2, 12, 79, 74, 58


def typed(typing: Typing, *keys: int, now_ms: int = 1_000) -> list[str]:
    """The codes that these keys make; negative keys are only released, all others are pressed and released."""
    codes = []
    for key in keys:
        edges = [(key, True), (key, False)] if key > 0 else [(-key, False)]
        codes += [typing.key(*edge, now_ms) for edge in edges]
    return [code for code in codes if code is not None]


def held(typing: Typing, key: int) -> None:
    assert typing.key(key, True, 1_000) is None


def test_a_code_ends_with_enter() -> None:
    assert typed(Typing(), KEY_A, KEY_1, KEY_M, ENTER) == ["a1m"]


def test_a_keypads_keys_are_digits_whatever_its_number_lock() -> None:
    assert typed(Typing(), KEYPAD_1, KEYPAD_MINUS, KEYPAD_1, KEYPAD_ENTER) == ["1-1"]


def test_every_printed_sign_of_a_us_keyboard_can_be_sent() -> None:
    rows = {2: "1234567890-=", 16: "qwertyuiop[]", 30: "asdfghjkl;'`", 43: "\\zxcvbnm,./", 57: " x"}
    plain = "".join(code for first, row in rows.items() for code in typed(Typing(), *range(first, first + len(row))))
    assert plain == ""
    signs = [
        typed(Typing(), KEY_M, key, KEY_M, ENTER)
        for first, row in rows.items()
        for key in range(first, first + len(row))
    ]
    wanted = [f"m{sign}m" for row in rows.values() for sign in row]
    # The last key is CapsLock, which gives no character.
    assert [code for [code] in signs] == [*wanted[:-1], "mm"]


@pytest.mark.parametrize("shift", [SHIFT, RIGHT_SHIFT])
def test_shift_gives_the_upper_signs_for_as_long_as_it_is_held(shift: int) -> None:
    typing = Typing()
    held(typing, shift)
    assert typed(typing, KEY_A, KEY_1, KEY_MINUS, -shift, KEY_A, ENTER) == ["A!_a"]


def test_one_shift_released_leaves_the_other() -> None:
    typing = Typing()
    held(typing, SHIFT)
    held(typing, RIGHT_SHIFT)
    assert typed(typing, -SHIFT, KEY_A, -RIGHT_SHIFT, KEY_A, ENTER) == ["Aa"]


def test_what_is_held_with_control_is_no_sign() -> None:
    typing = Typing()
    held(typing, CONTROL)
    assert typed(typing, KEY_M, -CONTROL, KEY_A, ENTER) == ["a"]


def test_backspace_takes_back_one_sign_and_none_where_there_is_none() -> None:
    assert typed(Typing(), BACKSPACE, KEY_1, KEY_M, BACKSPACE, KEY_A, ENTER) == ["1a"]


def test_enter_alone_is_no_code() -> None:
    assert typed(Typing(), ENTER, 57, ENTER, KEYPAD_ENTER) == []


def test_half_a_code_is_forgotten_after_20_seconds() -> None:
    typing = Typing()
    typed(typing, KEY_1, now_ms=1_000)
    typed(typing, KEY_M, now_ms=1_000 + FORGOTTEN_MS)
    assert typed(typing, ENTER, now_ms=1_000 + 2 * FORGOTTEN_MS) == ["1m"]
    typed(typing, KEY_1, now_ms=100_000)
    assert typed(typing, KEY_M, ENTER, now_ms=100_001 + FORGOTTEN_MS) == ["m"]


def test_enter_after_a_code_was_forgotten_asks_for_it_again() -> None:
    """Somebody may type a code, compare it with the confirmation for a while, and press Enter only then."""
    typing = Typing()
    typed(typing, KEY_1, KEY_M, now_ms=1_000)
    assert typed(typing, ENTER, now_ms=1_001 + FORGOTTEN_MS) == [""]
    assert typed(typing, ENTER, KEY_A, ENTER, now_ms=1_001 + FORGOTTEN_MS) == ["a"]


def test_a_code_of_300_signs_is_one_and_a_longer_one_is_not() -> None:
    typing = Typing()
    assert typed(typing, *[KEY_A] * CODE_MOST, ENTER) == ["a" * 300]
    assert typed(typing, *[KEY_A] * (CODE_MOST + 1), BACKSPACE, ENTER) == [""]
    assert typed(typing, KEY_A, ENTER) == ["a"]


def test_a_code_that_lost_keys_is_to_be_read_again() -> None:
    typing = Typing()
    held(typing, SHIFT)
    typing.lose(1_000)
    assert typed(typing, KEY_A, ENTER, KEY_A, ENTER) == ["", "a"]


def test_a_code_whose_first_keys_were_lost_is_to_be_read_again() -> None:
    typing = Typing()
    typed(typing, KEY_1, ENTER, now_ms=1_000)
    typing.lose(1_000_000)
    assert typed(typing, KEY_M, ENTER, now_ms=1_000_001) == [""]


def key(device: str, code: int) -> KeyChanged:
    return KeyChanged(device, code, True, 1_000)


def test_two_keyboards_do_not_mix_their_codes() -> None:
    keyboards = Keyboards()
    for event in (key(SCANNER, KEY_A), key(KEYPAD, KEYPAD_1), key(SCANNER, KEY_M)):
        assert keyboards.take(event) is None
    assert keyboards.take(key(KEYPAD, KEYPAD_ENTER)) == "1"
    assert keyboards.take(key(SCANNER, ENTER)) == "am"


def test_what_was_typed_before_a_keyboard_went_away_is_forgotten() -> None:
    keyboards = Keyboards()
    keyboards.take(key(SCANNER, SHIFT))
    keyboards.take(key(SCANNER, KEY_A))
    keyboards.take(KeyboardAway(SCANNER))
    assert keyboards.away == {SCANNER}
    keyboards.take(KeyboardThere(SCANNER))
    assert not keyboards.away
    keyboards.take(key(SCANNER, KEY_M))
    assert keyboards.take(key(SCANNER, ENTER)) == "m"


def test_keys_lost_on_one_keyboard_spoil_its_code_alone() -> None:
    keyboards = Keyboards()
    keyboards.take(key(SCANNER, KEY_A))
    keyboards.take(key(KEYPAD, KEYPAD_1))
    keyboards.take(KeysLost(SCANNER, 1_000))
    assert keyboards.take(key(SCANNER, ENTER)) == ""
    assert keyboards.take(key(KEYPAD, ENTER)) == "1"


def test_a_simulated_scanner_gives_its_code_whole() -> None:
    assert Keyboards().take(Scanned("K7M2Q9")) == "K7M2Q9"
