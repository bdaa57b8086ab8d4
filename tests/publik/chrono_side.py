"""Chrono as the hub sees it, written from its documentation alone: nothing was recorded from a real one."""

import json
import re

from tests.publik.replies import Reply, Request, answer, denied, refuse
from tests.publik.town import BookingKept, Town

# [doc] The keys that a PATCH knows; [doc] every other key is stored in extra_data.
PRESENCE = {"user_was_present", "user_absence_reason"}


def chrono(town: Town, request: Request) -> Reply | None:
    """Chrono's reply, or None if the address is not one of Chrono's."""
    for pattern, route in ROUTES:
        found = re.fullmatch(pattern, request.path)
        if found and town.switches.chrono_closed:
            return denied(request, "access denied")
        if found:
            with town.lock:
                return route(town, request, *found.groups())
    return None


def agendas(town: Town, _request: Request) -> Reply:
    """[doc] An answer with `data` but without `err`."""
    found = sorted({booking.agenda for booking in town.bookings.values()} | {"mairie"})
    return answer(
        {
            "data": [_agenda(slug) for slug in found]
            + [{"id": "salles", "slug": "salles", "text": "Salles", "kind": "events", "api": {}}]
        }
    )


def _agenda(slug: str) -> dict:
    api = {"meetings_url": f"/api/agenda/{slug}/meetings/", "desks_url": f"/api/agenda/{slug}/desks/"}
    return {"id": slug, "slug": slug, "text": f"Agenda {slug}", "kind": "meetings", "api": api}


def meetings(town: Town, _request: Request, slug: str) -> Reply:
    """[code] Meeting types: id, text, duration in minutes."""
    found = sorted({each.meeting_type for each in town.bookings.values() if each.agenda == slug} | {"30"})
    return answer({"err": 0, "data": [{"id": each, "text": f"Rendez-vous {each}", "duration": 30} for each in found]})


def booking(town: Town, request: Request, id_: str) -> Reply:
    kept = town.bookings.get(int(id_))
    if kept is None:
        return refuse(request, 404, "Not found", "no such booking")
    if kept.cancelled:
        return _refuse(town, "booking is cancelled")  # [doc]
    if request.method == "GET":
        return answer({"err": 0, "data": _shown(kept)})
    if request.method != "PATCH":
        return refuse(request, 405, "Method not allowed", "method not allowed")
    return _patch(town, request, kept)


def _patch(town: Town, request: Request, kept: BookingKept) -> Reply:
    if kept.in_waiting_list:
        return _refuse(town, "booking is in waiting list", err=2)  # [recall]
    if town.switches.checks_locked:
        return _refuse(town, "event checks are locked", err=5)  # [recall]
    try:
        said = json.loads(request.body)
    except ValueError:
        return answer({"err": 1, "err_class": "invalid payload", "err_desc": "invalid payload"}, 400)
    if "user_was_present" in said:
        kept.present = said["user_was_present"]
    kept.reason = said.get("user_absence_reason", kept.reason)
    kept.extra_data |= {key: value for key, value in said.items() if key not in PRESENCE}
    town.told.append({"how": "presence", "booking": kept.id, "present": kept.present})
    return answer({"err": 0, "data": _shown(kept)})


def _shown(kept: BookingKept) -> dict:
    """[doc] `booking_id` instead of the `id` of lists; no time, desk, name or agenda."""
    return {
        "booking_id": kept.id,
        "in_waiting_list": kept.in_waiting_list,
        "user_was_present": kept.present,
        "user_absence_reason": kept.reason,
        "extra_data": kept.extra_data,
    }


def bookings(_town: Town, request: Request) -> Reply:
    """[doc] One person's bookings: `user_external_id` is required, so no day can be listed."""
    if "user_external_id" not in request.query:
        return answer({"err": 1, "err_class": "missing param user_external_id", "err_desc": "missing param"}, 400)
    return answer({"err": 0, "data": []})


def _refuse(town: Town, err_class: str, err: int = 1) -> Reply:
    """[recall] A refusal comes with HTTP 200."""
    value = {"err": err, "err_class": err_class, "err_desc": err_class}
    return answer(value, 200 if town.switches.refuses_with_200 else 400)


ROUTES = (
    (r"/api/agenda/", agendas),
    (r"/api/agenda/([a-z0-9-]+)/meetings/", meetings),
    (r"/api/booking/([0-9]+)/", booking),
    (r"/api/bookings/", bookings),
)
