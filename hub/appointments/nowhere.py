"""Sources that are told nothing, and the source of a hub that has none."""

from collections.abc import Sequence

from hub.appointments.source import Hint, Listing
from hub.queue.reports import ReportKind


class ToldNothing:
    """The half of a source that nobody tells what became of its bookings."""

    def tells(self, _kind: ReportKind) -> bool:
        return False

    def status_of(self, _reference: str, _booking: str, _kind: ReportKind) -> str | None:
        return None

    def tell(self, _reference: str, _booking: str, _kind: ReportKind) -> None:
        return

    def close(self) -> None:
        return


class Nowhere(ToldNothing):
    """No bookings. It never says that anything is gone."""

    title = ""
    is_file = False

    def list_all(self, _first_day: str, _last_day: str) -> Listing:
        return Listing(())

    def list_changed(self, since_ms: int) -> Listing | None:
        return Listing((), as_of_ms=since_ms)

    def look_up(self, _hints: Sequence[Hint]) -> Listing:
        return Listing(())
