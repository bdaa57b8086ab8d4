"""Turns the keys of a scanner or a keypad into codes. Pure.

To Linux both are keyboards. Its key codes (linux/input-event-codes.h) say where a key is, not which character is on it:
that depends on the layout, and a scanner must be set to the US layout.
"""

from dataclasses import dataclass, field

from nodes.ticket_printer.events import KeyboardAway, KeyboardThere, KeyChanged, KeysLost, Scanned

# The hub takes no longer code; the address on a confirmation is well below this.
CODE_MOST = 300
# A code that somebody began on the keypad and left is forgotten, so that it does not become part of the next one.
FORGOTTEN_MS = 20_000

# For each row: its first key code, its characters, and those with shift.
_ROWS = (
    (2, "1234567890-=", "!@#$%^&*()_+"),
    (16, "qwertyuiop[]", "QWERTYUIOP{}"),
    (30, "asdfghjkl;'`", 'ASDFGHJKL:"~'),
    (43, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
    (57, " ", " "),
    # The numeric keypad, with or without NumLock.
    (55, "*", "*"),
    (71, "789-456+1230.", "789-456+1230."),
    (98, "/", "/"),
)
_PLAIN = {first + place: sign for first, signs, _ in _ROWS for place, sign in enumerate(signs)}
_SHIFTED = {first + place: sign for first, _, signs in _ROWS for place, sign in enumerate(signs)}
_BACKSPACE = 14
_ENTERS = {28, 96}
_SHIFTS = {42, 54}
# Control, Alt and the logo key: a key pressed with one of them is a command, not a character.
_COMMANDS = {29, 97, 56, 100, 125, 126}


@dataclass(slots=True)
class Typing:
    """The characters typed on one keyboard since the last Enter."""

    _signs: list[str] = field(default_factory=list)
    _held: set[int] = field(default_factory=set)
    _last_ms: int = 0
    _spoilt: bool = False

    def key(self, key: int, pressed: bool, now_ms: int) -> str | None:
        """The code that this key ends, or None; empty if it is to be read again.

        That is so if keys were lost, if there are too many, and if the code was forgotten before its Enter.
        """
        if key in _SHIFTS or key in _COMMANDS:
            (self._held.add if pressed else self._held.discard)(key)
            return None
        if not pressed:
            return None
        if now_ms - self._last_ms > FORGOTTEN_MS:
            forgotten = bool(self._signs)
            self._begin()
            # Whoever typed it and presses Enter only now waits for an answer.
            self._spoilt = forgotten and key in _ENTERS
        self._last_ms = now_ms
        if key in _ENTERS:
            return self._end()
        if key == _BACKSPACE:
            del self._signs[-1:]
        else:
            self._add(key)
        return None

    def lose(self, now_ms: int) -> None:
        """Record that keys were lost: what is typed up to the next Enter is no code."""
        self._spoilt = True
        # The lost keys may have begun a code. Its next key must not clear `_spoilt`, as one after a long pause does.
        self._last_ms = now_ms
        self._held.clear()

    def _add(self, key: int) -> None:
        if self._held & _COMMANDS or key not in _PLAIN:
            return
        if len(self._signs) == CODE_MOST:
            self._spoilt = True
            return
        self._signs.append((_SHIFTED if self._held else _PLAIN)[key])

    def _end(self) -> str | None:
        code, spoilt = "".join(self._signs).strip(), self._spoilt
        self._begin()
        return "" if spoilt else code or None

    def _begin(self) -> None:
        self._signs.clear()
        self._spoilt = False


class Keyboards:
    """All keyboards of a dispenser. `away`: the paths of the missing ones."""

    def __init__(self) -> None:
        self._typing: dict[str, Typing] = {}
        self.away: set[str] = set()

    def take(self, event: object) -> str | None:
        """The code that this event completes, or None; empty if it was misread. Ignores events of other kinds."""
        match event:
            case KeyChanged(device, key, pressed, at_ms):
                return self._typing.setdefault(device, Typing()).key(key, pressed, at_ms)
            case Scanned(code):
                return code
            case KeysLost(device, at_ms):
                self._typing.setdefault(device, Typing()).lose(at_ms)
            case KeyboardAway(device):
                self.away.add(device)
                self._typing.pop(device, None)
            case KeyboardThere(device):
                self.away.discard(device)
        return None
