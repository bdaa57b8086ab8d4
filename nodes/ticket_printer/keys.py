"""From the keys of a scanner or a keypad to codes. Pure.

Both are keyboards to Linux, whose key codes (linux/input-event-codes.h) say where a key is and not what stands on it:
the sign follows from the layout, and a scanner must be set to the US one.
"""

from dataclasses import dataclass, field

from nodes.ticket_printer.events import KeyboardAway, KeyboardThere, KeyChanged, KeysLost, Scanned

# A confirmation's address fits with room to spare, and the hub takes no more.
CODE_MOST = 300
# Half a code that somebody left on the keypad is not the beginning of the next visitor's.
FORGOTTEN_MS = 20_000

# From the first key code of a row: its signs, and those with shift.
_ROWS = (
    (2, "1234567890-=", "!@#$%^&*()_+"),
    (16, "qwertyuiop[]", "QWERTYUIOP{}"),
    (30, "asdfghjkl;'`", 'ASDFGHJKL:"~'),
    (43, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
    (57, " ", " "),
    # The block of digits, with NumLock or without.
    (55, "*", "*"),
    (71, "789-456+1230.", "789-456+1230."),
    (98, "/", "/"),
)
_PLAIN = {first + place: sign for first, signs, _ in _ROWS for place, sign in enumerate(signs)}
_SHIFTED = {first + place: sign for first, _, signs in _ROWS for place, sign in enumerate(signs)}
_BACKSPACE = 14
_ENTER, _KEYPAD_ENTER = 28, 96
_SHIFTS = {42, 54}
# Control, Alt and the logo key: what they are held with is a command to a computer, and no sign.
_COMMANDS = {29, 97, 56, 100, 125, 126}


@dataclass(slots=True)
class Typing:
    """What was typed on one keyboard since the last Enter."""

    _signs: list[str] = field(default_factory=list)
    _held: set[int] = field(default_factory=set)
    _last_ms: int = 0
    _spoilt: bool = False

    def key(self, key: int, pressed: bool, now_ms: int) -> str | None:
        """The code that this key ends; empty where it has lost signs or has too many, and is to be read again."""
        if key in _SHIFTS or key in _COMMANDS:
            (self._held.add if pressed else self._held.discard)(key)
            return None
        if not pressed:
            return None
        if now_ms - self._last_ms > FORGOTTEN_MS:
            self._begin()
        self._last_ms = now_ms
        if key in {_ENTER, _KEYPAD_ENTER}:
            return self._end()
        if key == _BACKSPACE:
            del self._signs[-1:]
        else:
            self._add(key)
        return None

    def lose(self, now_ms: int) -> None:
        """Keys were lost, so that what is typed up to the next Enter is no code."""
        self._spoilt = True
        # They may be the first ones of a code: what is left of it must not pass for a whole one.
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
    """All keyboards of a dispenser. `away`: the paths of those that are not there."""

    def __init__(self) -> None:
        self._typing: dict[str, Typing] = {}
        self.away: set[str] = set()

    def take(self, event: object) -> str | None:
        """The code that is whole now; empty where it was not read well. What is no keyboard's event says nothing."""
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
