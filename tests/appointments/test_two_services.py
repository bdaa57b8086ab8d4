"""Two services on one form: whatever people do, neither mapping ends a booking that the other keeps."""

import random

import pytest

from hub.appointments.comparing import compare, window_of
from hub.appointments.rows import known_to
from hub.follow_codes import follow_code
from hub.publik.client import LIMITS
from hub.queue.requests import CheckIn
from hub.queue.states import State
from tests.appointments.office import FORM, a_town, publik_source, with_forms
from tests.publik.town import BOOKED, CANCELLED
from tests.queue.harness import MINUTE, Queue

SERVICES = {"mairie": "civil", "annexe": "papers"}
AGENDAS = [*SERVICES, "ailleurs"]
HERE_OR_WAS = {State.WAITING, State.CALLED, State.SERVING, State.PARKED, State.ABSENT, State.SERVED}


class Morning:
    """A morning of random events. `taken` takes a listing and checks that the hub knows what Publik says."""

    def __init__(self, queue, source, town, clock, seed):
        self.queue, self.source, self.town, self.clock = queue, source, town, clock
        self.chance = random.Random(seed)
        self.since_ms = 0
        queue.open("desk-1")

    def step(self):
        self.clock.turn(self.chance.randrange(3 * MINUTE))
        self.queue.now_ms = self.clock.now_ms()
        forms = [each for each in self.town.forms[FORM].values() if each.status != CANCELLED]
        happens = self.chance.choice([self.book, self.move, self.set_status, self.cancel, self.check_in, self.press])
        happens(self.chance.choice(forms) if forms else None)

    def book(self, _form):
        self.town.book(FORM, self._start(), agenda=self.chance.choice(AGENDAS))

    def move(self, form):
        if form is not None:
            self.town.move(FORM, form.id, self._start())
            form.fields["agenda_rdv"] = self.chance.choice([form.fields["agenda_rdv"], *AGENDAS])

    def set_status(self, form):
        if form is not None:
            self.town.set_status(FORM, form.id, self.chance.choice("1234"))

    def cancel(self, form):
        if form is not None:
            self.town.cancel(FORM, form.id)

    def check_in(self, _form):
        expected = [each.id for each in self.queue.tickets() if each.state is State.EXPECTED]
        if expected:
            self.queue.do(CheckIn(origin=self.queue.origin(), desk="", ticket=self.chance.choice(expected)))

    def press(self, _form):
        self.queue.next("desk-1")

    def _start(self):
        return f"2026-11-2{self.chance.choice('445')} {self.chance.randrange(9, 18):02}:00"

    def taken(self, *, whole):
        window = window_of(self.queue.site, self.clock.now_ms())
        if whole:
            listing = self.source.list_all(window.first_day, window.last_day)
            assert listing.complete
        else:
            listing = self.source.list_changed(self.since_ms)
        known = known_to(self.queue.connection, self.queue.site.name, listing)
        changes = tuple(compare(known, listing, window, follow_code).changes)
        self.queue.connection.rollback()
        self.queue.take(*changes)
        self.since_ms = listing.as_of_ms
        rows = {row[1]: row for row in self.queue.table("booking")}
        tickets = {each.booking: each for each in self.queue.tickets() if each.state is not State.CANCELLED}
        for form in self.town.forms[FORM].values():
            booking = str(form.data["rdv_response"]["booking_id"])
            self._agree(form, rows.get(booking), tickets.get(booking))

    def _agree(self, form, row, ticket):
        stands = row is not None and not row[8]
        service = SERVICES.get(form.fields["agenda_rdv"])
        if service is None or form.status == CANCELLED:
            assert not stands, form
        elif form.status == BOOKED:
            assert stands, form
            assert row[4] == service
        elif ticket is not None and ticket.state in HERE_OR_WAS:
            assert stands, (form, ticket)


@pytest.mark.parametrize("seed", range(4))
def test_what_two_services_on_one_form_know_is_what_publik_says(shared_engine, clock, publik, seed):
    site = with_forms(
        a_town(publik.address, statuses=("Réservé",)),
        {"service": "papers", "agendas": ("annexe",)},
        agenda="fields.agenda_rdv",
        agendas=("mairie",),
    )
    queue, source = Queue(shared_engine, site, at_ms=clock.now_ms()), publik_source(site, clock, LIMITS)
    try:
        morning = Morning(queue, source, publik.town, clock, seed)
        morning.taken(whole=True)
        for number in range(60):
            morning.step()
            if number % 3 == 0:
                morning.taken(whole=number % 4 == 0)
        morning.taken(whole=True)
    finally:
        source.close()
        queue.close()
