"""Passwords of local accounts: how they are stored and compared."""

import pytest
from argon2 import extract_parameters
from argon2.exceptions import InvalidHashError
from argon2.profiles import RFC_9106_LOW_MEMORY

from hub.auth.passwords import LEAST, NOBODY, PasswordTooShort, hash_password, matches

PASSWORD = "un guichet par personne"


def test_a_password_matches_its_own_hash_and_no_other_does() -> None:
    stored = hash_password(PASSWORD)
    assert matches(stored, PASSWORD)
    for other in ("", "Un guichet par personne", f"{PASSWORD} ", stored):
        assert not matches(stored, other)


def test_a_password_is_kept_by_argon2id_with_the_parameters_of_rfc_9106_and_a_salt_of_its_own() -> None:
    first, second = hash_password(PASSWORD), hash_password(PASSWORD)
    assert first != second
    assert PASSWORD not in first
    assert first.startswith("$argon2id$")
    assert extract_parameters(first) == RFC_9106_LOW_MEMORY


def test_an_account_that_is_not_there_is_compared_by_the_same_parameters_and_never_matches() -> None:
    assert extract_parameters(NOBODY) == extract_parameters(hash_password(PASSWORD))
    for text in ("", PASSWORD, NOBODY):
        assert not matches(None, text)


def test_a_short_password_is_refused() -> None:
    with pytest.raises(PasswordTooShort, match="fewer than 12 characters"):
        hash_password("é" * (LEAST - 1))
    assert matches(hash_password("é" * LEAST), "é" * LEAST)


def test_an_accent_is_the_same_however_a_keyboard_writes_it() -> None:
    assert matches(hash_password("caf\u00e9 sans sucre"), "cafe\u0301 sans sucre")


def test_a_row_that_holds_no_hash_is_no_silent_refusal() -> None:
    with pytest.raises(InvalidHashError):
        matches("not a hash", PASSWORD)
