"""The opaque word by which a phone follows a ticket."""

import secrets

# No vowels, so that it spells nothing; no 0, 1, l, so that it can be read aloud.
ALPHABET = "bcdfghjkmnpqrstvwxz23456789"
# 27^12: nobody guesses one of a day's tickets.
LENGTH = 12


def follow_code() -> str:
    # One draw for all its signs: a sync makes ten thousand of them.
    rest, signs = secrets.randbelow(len(ALPHABET) ** LENGTH), ""
    for _ in range(LENGTH):
        rest, place = divmod(rest, len(ALPHABET))
        signs += ALPHABET[place]
    return signs
