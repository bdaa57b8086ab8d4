import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import hub
from hub.appointments.source import Listing
from hub.config import read_site
from hub.publik.client import Limits
from hub.publik.secrets import Secrets
from hub.publik.source import PublikSource
from hub.site import BookingForm, Chrono, Publik, Site, Triggers
from tests.publik.server import CLIENT, KEY, PASSWORD, TestPublik
from tests.publik.town import Form

FORM = "rendez-vous"
# First and last day of the bookings that tests make; both are listed.
DAYS = ("2026-11-25", "2026-12-02")
# Short time-outs, for faults that last until the hub gives up.
QUICK = Limits(connect_s=2.0, read_s=0.3, whole_s=0.6)
PATIENT = Limits(connect_s=5.0, read_s=20.0, whole_s=30.0)


@pytest.fixture
def publik() -> Iterator[TestPublik]:
    """A Publik with one empty form."""
    with TestPublik() as running:
        running.town.add_form(FORM)
        yield running


@pytest.fixture(scope="session")
def site() -> Site:
    return read_site(Path(hub.__file__).with_name("example-site.yaml")).site


def form(**changes: Any) -> BookingForm:
    fields = {
        "service": "identity",
        "form": FORM,
        "booking": "workflow.data.rdv_response.booking_id",
        "start": "fields.rdv_raw",
        "names": ("fields.prenom", "fields.nom"),
        "code": "fields.code_rdv",
        "cancelled_statuses": ("Annulé",),
    }
    return BookingForm(**(fields | changes))


TRIGGERS = Triggers(
    arrived="suivant-arrive", served="suivant-servi", absent="suivant-absent", cancelled="suivant-annule"
)


def ids(listing: Listing | None) -> set[str]:
    """The ids of the listing's bookings."""
    assert listing is not None
    return {booking.id for booking in listing.bookings}


def booking_of(request: Form) -> str:
    """The booking's id, as the hub knows it."""
    return str(request.data["rdv_response"]["booking_id"])


SECRETS = Secrets(KEY.encode(), PASSWORD)


def system_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Opened:
    """Opens sources on the running test Publik, and closes them after the test."""

    publik: TestPublik
    site: Site
    sources: list[PublikSource]

    def described(self, *, chrono: bool = False, presence: bool = False, **changes: Any) -> Publik:
        direct = Chrono(address=f"{self.publik.address}/chrono", presence=presence) if chrono or presence else None
        fields = {"address": self.publik.address, "client": CLIENT, "forms": (form(),), "chrono": direct}
        return Publik(**(fields | changes))

    def __call__(
        self,
        *,
        secrets: Secrets = SECRETS,
        now_ms: Callable[[], int] = system_ms,
        limits: Limits = PATIENT,
        **changes: Any,
    ) -> PublikSource:
        source = PublikSource.open(self.described(**changes), self.site, secrets, now_ms, limits)
        self.sources.append(source)
        return source


@pytest.fixture
def opened(publik: TestPublik, site: Site) -> Iterator[Opened]:
    opened = Opened(publik, site, [])
    yield opened
    for source in opened.sources:
        source.close()
