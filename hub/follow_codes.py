"""The opaque code by which a phone follows a ticket."""

import secrets

# No vowels, so that it spells nothing; no 0, 1, l, so that it can be read aloud.
ALPHABET = "bcdfghjkmnpqrstvwxz23456789"
# 27^12 codes: nobody can guess the code of one of a day's tickets.
LENGTH = 12


def follow_code() -> str:
    # One random draw for all characters, because a sync makes ten thousand codes.
    rest, signs = secrets.randbelow(len(ALPHABET) ** LENGTH), ""
    for _ in range(LENGTH):
        rest, place = divmod(rest, len(ALPHABET))
        signs += ALPHABET[place]
    return signs
