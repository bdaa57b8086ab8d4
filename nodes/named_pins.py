"""When the pins that the configuration names are to be used, and tried again. Pure."""

# One that is busy may be let go: by an earlier run of this program, or by somebody at a shell.
AGAIN_MS = 30_000


class NamedPins:
    """Used once, and tried again while they cannot be used. Each answer of True asks to use them now."""

    def __init__(self) -> None:
        self._named: object = None
        self._again_at_ms: int | None = None

    @property
    def unusable(self) -> bool:
        return self._again_at_ms is not None

    def configured(self, named: object) -> bool:
        """`named` says which pins, and what each is for: equal where nothing has changed."""
        if named != self._named:
            self._named, self._again_at_ms = named, None
            return True
        return self.unusable

    def tried(self, now_ms: int, *, usable: bool) -> None:
        """Those that were unusable count as such until this says otherwise: telemetry does not waver at each trial."""
        self._again_at_ms = None if usable else now_ms + AGAIN_MS

    def again(self, now_ms: int) -> bool:
        if self._again_at_ms is None or now_ms < self._again_at_ms:
            return False
        self._again_at_ms = now_ms + AGAIN_MS
        return True
