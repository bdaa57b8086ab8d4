"""Publik as a source of bookings."""

from collections.abc import Callable, Sequence

from hub.appointments.source import Hint, Listing, ReportKind
from hub.publik.secrets import Secrets
from hub.site import Appointments, Publik, Site


class PublikSource:
    """A `Source`: what w.c.s.'s forms say of bookings, and w.c.s. or Chrono told what became of them."""

    title = "Publik"

    @classmethod
    def open(
        cls, publik: Publik, appointments: Appointments, site: Site, secrets: Secrets, now_ms: Callable[[], int]
    ) -> "PublikSource":
        """Reaches nothing yet. Raises WrongSetting where the key or password that `login` asks for is not there."""
        raise NotImplementedError

    def list_all(self, first_day: str, last_day: str) -> Listing:
        raise NotImplementedError

    def list_changed(self, since_ms: int) -> Listing | None:
        raise NotImplementedError

    def look_up(self, hints: Sequence[Hint]) -> Listing:
        raise NotImplementedError

    def tells(self, kind: ReportKind) -> bool:
        raise NotImplementedError

    def status_of(self, reference: str) -> str | None:
        raise NotImplementedError

    def tell(self, reference: str, booking: str, kind: ReportKind) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError
