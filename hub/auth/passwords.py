"""Passwords of local accounts, hashed with argon2id."""

import threading
import unicodedata

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerifyMismatchError

# Characters: NIST SP 800-63B asks for 8 with another factor and 15 without; a local account is for emergencies, and
# tries are counted.
LEAST = 12

# RFC 9106, section 4, the second recommended option: 3 passes over 64 MiB in 4 lanes, a salt of 16 bytes, a tag of 32.
# Above OWASP's least (2 passes over 19 MiB in one lane).
_hasher = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4, hash_len=32, salt_len=16, type=Type.ID)
# Of a random text that nobody kept, by the same parameters: what an account that is not there is compared with.
NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$KOLzk0Lus2VjlbSdfR8+TA$19bwyVmIS7sntimq6rSdz8eMi5CqSJx/K8Ce2UNgujo"
# Each takes 64 MiB and up to four cores: many at once would keep those who call visitors waiting.
_one_at_a_time = threading.Lock()


class PasswordTooShort(ValueError):
    """Fewer characters than `LEAST`."""

    def __init__(self) -> None:
        super().__init__(f"the password has fewer than {LEAST} characters: take a longer one")


def hash_password(text: str) -> str:
    """The hash with its parameters and salt, as `matches` takes it. Raises PasswordTooShort."""
    if len(text) < LEAST:
        raise PasswordTooShort
    with _one_at_a_time:
        return _hasher.hash(_as_typed_anywhere(text))


def matches(stored: str | None, text: str) -> bool:
    """Whether this is the password of `stored`; None, of an account that is not there, takes as long and is False."""
    try:
        with _one_at_a_time:
            _hasher.verify(NOBODY if stored is None else stored, _as_typed_anywhere(text))
    except VerifyMismatchError:
        return False
    return stored is not None


def _as_typed_anywhere(text: str) -> str:
    """Keyboards write an é as one character or as two (RFC 8265, 4.2.2)."""
    return unicodedata.normalize("NFC", text)
