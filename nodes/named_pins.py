"""When to open the configured pins, and when to retry. Pure."""

# A busy pin may be released, by an earlier run of this program or by somebody at a shell.
AGAIN_MS = 30_000


class NamedPins:
    """Opens the pins once, and retries while they are unusable. A method that returns True asks to open them now."""

    def __init__(self) -> None:
        self._named: object = None
        self._again_at_ms: int | None = None

    @property
    def unusable(self) -> bool:
        return self._again_at_ms is not None

    def configured(self, named: object) -> bool:
        """Take a configuration. `named` says which pins there are and what each is for; it is compared by equality."""
        if named != self._named:
            self._named, self._again_at_ms = named, None
            return True
        return self.unusable

    def tried(self, now_ms: int, *, usable: bool) -> None:
        """Record a try. Unusable pins stay so until a try succeeds, so that telemetry does not flap at each retry."""
        self._again_at_ms = None if usable else now_ms + AGAIN_MS

    def again(self, now_ms: int) -> bool:
        if self._again_at_ms is None or now_ms < self._again_at_ms:
            return False
        self._again_at_ms = now_ms + AGAIN_MS
        return True
