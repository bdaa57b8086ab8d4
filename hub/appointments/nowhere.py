"""The base of sources that take no reports, and the source of a hub without appointments."""

from collections.abc import Sequence

from hub.appointments.source import Hint, Listing
from hub.queue.reports import ReportKind


class ToldNothing:
    """The reporting half of a source that takes no reports."""

    def tells(self, _kind: ReportKind) -> bool:
        return False

    def status_of(self, _reference: str, _booking: str, _kind: ReportKind) -> str | None:
        return None

    def tell(self, _reference: str, _booking: str, _kind: ReportKind) -> None:
        return

    def close(self) -> None:
        return


class Nowhere(ToldNothing):
    """A source without bookings. Its listings are never complete, so nothing is taken to be gone."""

    title = ""
    is_file = False

    def list_all(self, _first_day: str, _last_day: str) -> Listing:
        return Listing(())

    def list_changed(self, since_ms: int) -> Listing | None:
        return Listing((), as_of_ms=since_ms)

    def look_up(self, _hints: Sequence[Hint]) -> Listing:
        return Listing(())
