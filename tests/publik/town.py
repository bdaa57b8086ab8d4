"""What the test Publik knows: the forms of w.c.s., the bookings of Chrono, and its own clock.

No answer of a real Publik was ever recorded. The marks say where each behaviour is from: [code] read in w.c.s., [doc]
Publik's documentation, [infer] deduced, [recall] only remembered. A remembered one is a switch; tests try both ways.
"""

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo


@dataclass
class Switches:
    """Behaviour that is only remembered or deduced, or that differs between installations."""

    # [recall] The `id` of a list's entry: "12", or "rendez-vous/12".
    id_with_slug: bool = False
    # [code] A form may make its requests' ids from a template; only `internal_id` is then the number.
    id_by_template: bool = False
    # [recall] The order of a list if the call asks for none.
    newest_first: bool = True
    # [infer] Whether "changed since" compares local times as written, or the moments they stand for.
    mtime_as_written: bool = True
    # [recall] Chrono's business refusals come with HTTP 200; otherwise with 400.
    refuses_with_200: bool = True
    # [code] A client restricted to anonymised data sees no anonymised field, and no workflow data at all.
    anonymised: bool = False
    # Whether the client has the role that the forms require. [code] Without it, 403.
    has_role: bool = True
    # [code] A status may be hidden from citizens: `status` is then the last one they see, `real_status` the true one.
    hides_all_but_booked: bool = False
    # [code] A trigger may have a condition; 403 if it is not met.
    condition_met: bool = True
    # [infer] w.c.s. asks Authentic for the client's roles at each of our calls: if Authentic is down, we get a 403.
    authentic_away: bool = False
    # [infer] An agenda whose checks are frozen for billing refuses a PATCH.
    checks_locked: bool = False
    # [doc] Chrono says that it is not open to outside programs.
    chrono_closed: bool = False


@dataclass(frozen=True)
class Status:
    """A status of the workflow. `triggers` maps the name of each jump to the status it leads to."""

    name: str
    triggers: dict[str, str] = field(default_factory=dict)


# [code] A status has an id, mostly a small number, and a name; only the statuses that have a jump offer it.
WORKFLOW = {
    "new": Status("Nouveau"),
    "1": Status(
        "Réservé",
        {
            "suivant-arrive": "2",
            "suivant-servi": "3",
            "suivant-absent": "4",
            "suivant-annule": "5",
        },
    ),
    "2": Status("Arrivé", {"suivant-servi": "3", "suivant-absent": "4", "suivant-annule": "5"}),
    "3": Status("Servi"),
    # This workflow has a way back from absent.
    "4": Status("Absent", {"suivant-arrive": "2", "suivant-servi": "3"}),
    "5": Status("Annulé"),
    # Two jumps with the same name in a row: [code] a repeated call jumps twice.
    "6": Status("Réservé, prudent", {"suivant-arrive": "7"}),
    "7": Status("Arrivé, à confirmer", {"suivant-arrive": "8"}),
    "8": Status("Arrivé, confirmé"),
}
BOOKED, CANCELLED = "1", "5"
# [code] Global actions lead to these statuses from any status.
ACTIONS = {"suivant-arrive": "2", "suivant-servi": "3", "suivant-absent": "4", "suivant-annule": "5"}


# [code] What an action keeps of a failed call, also one whose `err` is not 0: no `rdv_response`.
FAILED = {
    "rdv_status": 200,
    "rdv_app_error_code": 1,
    "rdv_error_response": {"err": 1, "err_class": "no more desk available"},  # [doc]
}


@dataclass
class Form:
    """One request of a form. Its booking, if any, stands in `data`."""

    slug: str
    id: int
    received_ms: int
    changed_ms: int
    status: str
    fields: dict
    data: dict
    draft: bool = False
    evolution: int = 1


@dataclass
class BookingKept:
    id: int
    slug: str
    form: int
    agenda: str
    meeting_type: str
    start: str
    cancelled: bool = False
    # [doc] null: not checked.
    present: bool | None = None
    reason: str = ""
    extra_data: dict = field(default_factory=dict)
    in_waiting_list: bool = False


class Town:
    """The whole town, safe for several threads. Each listener is called after a change, with the form and its kind."""

    def __init__(self, *, zone="Europe/Paris", now_ms=None):
        self.zone = ZoneInfo(zone)
        self.switches = Switches()
        self.clock_off_ms = 0
        # A cap on the requests in a list, whatever `limit` asks for. [code] has no such cap; a host may have one.
        self.limit_most = None
        self.lock = threading.RLock()
        self.forms: dict[str, dict[int, Form]] = {}
        self.bookings: dict[int, BookingKept] = {}
        self.told: list[dict] = []
        self.listeners = []
        self._now_ms = now_ms or (lambda: time.time_ns() // 1_000_000)
        self._last_form = 0
        self._last_booking = 1000

    def now_ms(self) -> int:
        return self._now_ms() + self.clock_off_ms

    def local(self, moment_ms: int) -> datetime:
        return datetime.fromtimestamp(moment_ms / 1000, UTC).astimezone(self.zone).replace(tzinfo=None)

    # --- what the town's people do ------------------------------------------------------------------------------

    def count_on(self):
        """Continue the ids after the existing ones."""
        self._last_form = max((id_ for forms in self.forms.values() for id_ in forms), default=self._last_form)
        self._last_booking = max(self.bookings, default=self._last_booking)

    def add_form(self, slug):
        with self.lock:
            self.forms.setdefault(slug, {})

    def book(
        self,
        slug,
        start,
        *,
        agenda="mairie",
        meeting_type="30",
        first_name="Zoé",
        last_name="Exemple-Inventée",
        code=None,
        draft=False,
        failed=False,
        waiting=False,
        status=BOOKED,
        changed_ms=None,
    ) -> Form:
        """Book a slot. `start`: local, `2026-11-25 10:00`. `draft`: [pr] booked with a lease, the form not submitted
        yet. `failed`: the workflow's call to Chrono failed."""
        with self.lock:
            self.add_form(slug)
            self._last_form += 1
            now_ms = changed_ms or self.now_ms()
            form = Form(slug, self._last_form, now_ms, now_ms, status, {}, {}, draft)
            form.fields = {"prenom": first_name, "nom": last_name, "courriel": "personne@exemple.invalid"}
            self.forms[slug][form.id] = form
            if failed:
                form.data = dict(FAILED)
                form.fields["rdv_raw"] = self._slot(meeting_type, start)
            else:
                booking = self._new_booking(form, start, agenda, meeting_type, waiting)
                form.fields["code_rdv"] = code if code is not None else f"{slug[0].upper()}{booking.id}"
            form.fields["agenda_rdv"] = agenda
        self._changed(form, "booked")
        return form

    def move(self, slug, id_, start, *, failed=False) -> Form:
        """[doc] `cancel_booking_id` makes a new booking with a new id, and cancels the old one. `failed`: [code] the
        previous answer stays, with the error beside it."""
        with self.lock:
            form = self.forms[slug][id_]
            if failed:
                form.data |= FAILED
            else:
                old = self.bookings[form.data["rdv_response"]["booking_id"]]
                old.cancelled = True
                self._new_booking(form, start, old.agenda, old.meeting_type, waiting=False)
            self.touch(form)
        self._changed(form, "moved")
        return form

    def cancel(self, slug, id_) -> Form:
        with self.lock:
            form = self.forms[slug][id_]
            booking = self.bookings.get(form.data.get("rdv_response", {}).get("booking_id"))
            if booking:
                booking.cancelled = True
            form.status = CANCELLED
            self.touch(form)
        self._changed(form, "cancelled")
        return form

    def set_status(self, slug, id_, status) -> Form:
        with self.lock:
            form = self.forms[slug][id_]
            form.status = status
            self.touch(form)
        self._changed(form, "status")
        return form

    def submit(self, slug, id_) -> Form:
        """Submit a draft."""
        with self.lock:
            form = self.forms[slug][id_]
            form.draft = False
            self.touch(form)
        self._changed(form, "booked")
        return form

    def lose(self, slug, id_) -> None:
        """[pr] An expired lease is deleted: the booking is gone although nobody cancelled it."""
        with self.lock:
            form = self.forms[slug].pop(id_)
            self.bookings.pop(form.data.get("rdv_response", {}).get("booking_id"), None)

    def touch(self, form: Form) -> None:
        form.changed_ms = self.now_ms()
        form.evolution += 1

    def jump(self, form: Form, status: str) -> None:
        with self.lock:
            form.status = status
            self.touch(form)

    def _new_booking(self, form, start, agenda, meeting_type, waiting):
        self._last_booking += 1
        booking = BookingKept(self._last_booking, form.slug, form.id, agenda, meeting_type, start)
        booking.in_waiting_list = waiting
        self.bookings[booking.id] = booking
        # [code] The id of the chosen slot is kept under the variable with `_raw`, its text under the variable itself.
        form.fields["rdv"] = f"le {start}"
        form.fields["rdv_raw"] = self._slot(meeting_type, start)
        # [doc] The workflow's action keeps the answer and its status under its own variable.
        form.data = {
            "rdv_status": 200,
            "rdv_response": {
                "err": 0,
                "booking_id": booking.id,
                "in_waiting_list": waiting,
                "datetime": f"{start}:00",
            },
        }
        return booking

    @staticmethod
    def _slot(meeting_type, start):
        """[code] `<type>:<YYYY-MM-DD-HHMM>`, local."""
        return f"{meeting_type}:{start[:10]}-{start[11:13]}{start[14:16]}"

    def _changed(self, form, kind):
        if form.draft:
            return
        for listener in list(self.listeners):
            listener(form, kind)
