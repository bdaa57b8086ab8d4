"""Passwords of local accounts, hashed with argon2id."""

import threading
import unicodedata

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerifyMismatchError

# Characters. NIST SP 800-63B asks for 8 with a second factor and 15 without. A local account is for emergencies, and
# tries are limited.
LEAST = 12

# RFC 9106, section 4, the second recommended option: 3 passes over 64 MiB in 4 lanes, a salt of 16 bytes, a tag of 32.
# This is above OWASP's minimum (2 passes over 19 MiB in one lane).
_hasher = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4, hash_len=32, salt_len=16, type=Type.ID)
# The hash of a random text that nobody kept, with the same parameters: compared with if there is no such account.
NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$KOLzk0Lus2VjlbSdfR8+TA$19bwyVmIS7sntimq6rSdz8eMi5CqSJx/K8Ce2UNgujo"
# A hash takes 64 MiB and up to four cores: many at once would delay the agents who call visitors.
_one_at_a_time = threading.Lock()


class PasswordTooShort(ValueError):
    """Fewer characters than `LEAST`."""

    def __init__(self) -> None:
        super().__init__(f"the password has fewer than {LEAST} characters: choose a longer one")


def hash_password(text: str) -> str:
    """Return the hash with its parameters and salt, for `matches`. Raises PasswordTooShort."""
    if len(text) < LEAST:
        raise PasswordTooShort
    with _one_at_a_time:
        return _hasher.hash(_as_typed_anywhere(text))


def matches(stored: str | None, text: str) -> bool:
    """Whether `text` is the password of this hash. None (no such account) takes as long and gives False."""
    try:
        with _one_at_a_time:
            _hasher.verify(NOBODY if stored is None else stored, _as_typed_anywhere(text))
    except VerifyMismatchError:
        return False
    return stored is not None


def _as_typed_anywhere(text: str) -> str:
    """Normalize: a keyboard may send an é as one character or as two (RFC 8265, 4.2.2)."""
    return unicodedata.normalize("NFC", text)
