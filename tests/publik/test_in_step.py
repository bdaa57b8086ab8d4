"""After a listing the hub knows what Publik knows, whatever citizens have done."""

import itertools

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hub.appointments.comparing import Window, compare, window_of
from hub.appointments.doubt import kept_in, lost_of, suspected_of
from hub.appointments.source import Hint, Listing, Missed
from hub.publik.source import PublikSource
from hub.queue.bookings import Known
from hub.queue.hours import local_day
from hub.queue.requests import Book, CancelBooking, Move
from hub.site import Site
from tests.publik.conftest import FORM, Opened, form
from tests.publik.server import TestPublik
from tests.publik.town import Town

# An hour before clocks go back to winter time: the worst moment to compare local times.
BEGIN_MS = 1_792_882_800_000
STARTS = st.sampled_from(
    ["2026-10-25 02:30", "2026-10-26 09:00", "2026-10-26 09:30", "2026-10-31 16:00", "2027-03-01 10:00"]
)


class InStep(RuleBasedStateMachine):
    """`known` is kept up to date from the changes alone, as the hub keeps its rows."""

    publik: TestPublik
    site: Site
    forms = Bundle("forms")

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = BEGIN_MS
        self.town = self.publik.town = Town(now_ms=lambda: self.now_ms)
        self.town.add_form(FORM)
        self.known: dict[str, Known] = {}
        self.lost: set[str] = set()
        self.doubted: tuple[Missed, ...] = ()
        self.since_ms = 0
        opened = Opened(self.publik, self.site, [])
        self.source: PublikSource = opened(now_ms=lambda: self.now_ms, forms=(form(cancelled_statuses=("Annulé",)),))

    def teardown(self) -> None:
        self.source.close()

    @initialize(newest_first=st.booleans(), mtime_as_written=st.booleans(), id_with_slug=st.booleans())
    def begin(self, **switches: bool) -> None:
        for name, on in switches.items():
            setattr(self.town.switches, name, on)
        self.list_all()

    # --- citizens -------------------------------------------------------------------------------------------------

    @rule(target=forms, start=STARTS, kind=st.sampled_from(["", "", "", "draft", "failed", "waiting"]))
    def book(self, start: str, kind: str) -> int:
        return self.town.book(FORM, start, **({kind: True} if kind else {})).id

    @rule(id_=forms, start=STARTS, failed=st.booleans())
    def move(self, id_: int, start: str, failed: bool) -> None:
        if "rdv_response" in self.town.forms[FORM][id_].data:
            self.town.move(FORM, id_, start, failed=failed)

    @rule(id_=forms)
    def cancel(self, id_: int) -> None:
        self.town.cancel(FORM, id_)

    @rule(id_=forms)
    def submit(self, id_: int) -> None:
        self.town.submit(FORM, id_)

    @rule(id_=forms, status=st.sampled_from(["1", "2", "3"]))
    def step(self, id_: int, status: str) -> None:
        self.town.set_status(FORM, id_, status)

    @rule(id_=consumes(forms))
    def lose(self, id_: int) -> None:
        self.lost.add(str(id_))
        self.town.lose(FORM, id_)

    @rule(minutes=st.integers(1, 50))
    def wait(self, minutes: int) -> None:
        self.now_ms += minutes * 60_000

    # --- the hub --------------------------------------------------------------------------------------------------

    @rule()
    def list_all(self) -> None:
        window = self._window()
        before = self._known_starts()
        listing = self.source.list_all(window.first_day, window.last_day)
        assert listing.complete
        self._take(listing)
        self.since_ms = listing.as_of_ms
        # If all of many bookings are gone, the hub does not believe it.
        kept = {id_: start for id_, start in before.items() if self.doubted and self._is_lost(id_)}
        assert self._known_starts() == kept | self._true_starts()

    @rule()
    def list_changed(self) -> None:
        listing = self.source.list_changed(self.since_ms)
        assert listing is not None
        self._take(listing)
        self.since_ms = listing.as_of_ms
        # Only a complete listing shows that a booking has vanished.
        known = {id_: start for id_, start in self._known_starts().items() if not self._is_lost(id_)}
        assert known == self._true_starts()

    @precondition(lambda self: self.town.forms[FORM])
    @rule(data=st.data())
    def look_up(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.town.forms[FORM])))
        self._take(self.source.look_up([Hint(f"{FORM}/{id_}")]))
        reference = f"{FORM}/{id_}"
        mine = {each.id for each in self.known.values() if each.reference == reference and not each.gone}
        assert mine == {each for each in self._true_starts() if self._reference(each) == reference}

    def _take(self, listing: Listing) -> None:
        assert listing.flaws == ()
        codes = map(str, itertools.count())
        known = list(self.known.values())
        window = self._window()
        lost = lost_of(listing, known, window, frozenset())
        self.doubted = suspected_of(listing, known, lost, window, {}, {})
        kept = kept_in(self.doubted, known, lost)
        for change in tuple(compare(known, listing, window, lambda: next(codes), {}, kept).changes):
            match change:
                case Book():
                    self.known[change.booking] = Known(
                        id=change.booking,
                        ticket=1,
                        reference=change.reference,
                        service=change.service,
                        start_ms=change.appointment_ms,
                        day=local_day(change.appointment_ms, self.site.zone),
                        code=change.confirmation,
                        gone=False,
                    )
                case Move():
                    raise AssertionError("a booking of Chrono never moves: it gets another id")
                case CancelBooking():
                    row = {name: getattr(self.known[change.booking], name) for name in Known.__struct_fields__}
                    self.known[change.booking] = Known(**(row | {"gone": True}))

    # --- the truth ------------------------------------------------------------------------------------------------

    def _window(self) -> Window:
        return window_of(self.site, self.now_ms)

    def _known_starts(self) -> dict[str, int]:
        first_ms = self._window().first_ms
        return {each.id: each.start_ms for each in self.known.values() if not each.gone and each.start_ms >= first_ms}

    def _true_starts(self) -> dict[str, int]:
        window = self._window()
        found = {}
        for each in self.town.forms[FORM].values():
            response = each.data.get("rdv_response")
            if response and not response["in_waiting_list"] and not each.draft and each.status != "5":
                start_ms = self._moment_ms(response["datetime"])
                if window.counts(start_ms):
                    found[str(response["booking_id"])] = start_ms
        return found

    def _moment_ms(self, text: str) -> int:
        """Computed by hand, independently of the hub. Summer time ends on the 25th; 2:30 is the first of the two."""
        summer = text < "2026-10-25 03:00:00"
        days = {"2026-10-25": 0, "2026-10-26": 1, "2026-10-31": 6, "2027-03-01": 127}[text[:10]]
        minutes = int(text[11:13]) * 60 + int(text[14:16]) - (120 if summer else 60)
        return 1_792_886_400_000 + (days * 1440 + minutes) * 60_000

    def _reference(self, booking: str) -> str:
        return f"{FORM}/{self.town.bookings[int(booking)].form}"

    def _is_lost(self, booking: str) -> bool:
        return self.known[booking].reference.partition("/")[2] in self.lost


@pytest.fixture
def machine(publik: TestPublik, site: Site) -> type[InStep]:
    return type("Machine", (InStep,), {"publik": publik, "site": site})


def test_after_each_listing_the_hub_knows_what_publik_knows(machine: type[InStep], torture: bool):
    examples = settings(max_examples=500 if torture else 60, stateful_step_count=30, deadline=None)
    run_state_machine_as_test(machine, settings=examples)
