"""The interface by which tests and the demo control the made-up town: JSON in and out, no login. Answers are objects.

POST /control/book     {"form", "start", …as Town.book}     {"form", "id", "booking", "code", "start"}
POST /control/move     {"form", "id", "start"}              the same, with the new booking
POST /control/cancel, /submit, /lose {"form", "id"}         the same
POST /control/status   {"form", "id", "status"}             the same
POST /control/clock    {"off_ms"}                           sets how far its clock is off
POST /control/limit    {"most"}                             caps the requests in a list; null: no cap
POST /control/fault    {"kind", "match", "times", …}        see tests.publik.faults
POST /control/calm     {}                                   removes all faults
POST /control/switch   {"newest_first": false, …}           see Switches
POST /control/push_to  {"address"}                          calls this hub at each change; null: none
GET  /control/told                                          {"told": […]}, the calls of triggers and Chrono
GET  /control/calls                                         {"calls": [[method, path, query], …]}
GET  /control/forms                                         {"forms": […]}
"""

import json

from tests.publik.faults import Fault
from tests.publik.replies import Reply, answer


def control(publik, request) -> Reply:
    name = request.path.removeprefix("/control/")
    act = (POSTS if request.method == "POST" else GETS).get(name)
    if act is None:
        return answer({"error": f"there is no {request.method} /control/{name}"}, 404)
    try:
        return answer(act(publik, json.loads(request.body or b"{}")))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return answer({"error": repr(error)}, 400)


def shown(form) -> dict:
    booking = form.data.get("rdv_response", {})
    return {
        "form": form.slug,
        "id": form.id,
        "status": form.status,
        "booking": booking.get("booking_id"),
        "start": booking.get("datetime"),
        "code": form.fields.get("code_rdv"),
    }


def _of_form(name):
    def act(publik, said):
        said = dict(said)
        slug, id_ = said.pop("form"), int(said.pop("id"))
        form = publik.town.forms[slug][id_]
        getattr(publik.town, name)(slug, id_, **said)
        return shown(form)

    return act


def _book(publik, said):
    said = dict(said)
    return shown(publik.town.book(said.pop("form"), said.pop("start"), **said))


def _clock(publik, said):
    publik.town.clock_off_ms = int(said["off_ms"])
    return {}


def _limit(publik, said):
    publik.town.limit_most = said["most"] if said["most"] is None else int(said["most"])
    return {}


def _fault(publik, said):
    publik.faults.append(Fault(**said))
    return {}


def _calm(publik, _said):
    publik.faults.clear()
    return {}


def _switch(publik, said):
    for name, value in said.items():
        if not isinstance(getattr(publik.town.switches, name), bool):
            raise TypeError(name)
        setattr(publik.town.switches, name, bool(value))
    return {}


def _push_to(publik, said):
    publik.pushing.to = said["address"]
    return {}


def _told(publik, _said):
    with publik.town.lock:
        return {"told": list(publik.town.told)}


def _calls(publik, _said):
    with publik.town.lock:
        return {"calls": list(publik.calls)}


def _forms(publik, _said):
    with publik.town.lock:
        return {"forms": [shown(form) for forms in publik.town.forms.values() for form in forms.values()]}


POSTS = {
    "book": _book,
    "move": _of_form("move"),
    "cancel": _of_form("cancel"),
    "submit": _of_form("submit"),
    "lose": _of_form("lose"),
    "status": _of_form("set_status"),
    "clock": _clock,
    "limit": _limit,
    "fault": _fault,
    "calm": _calm,
    "switch": _switch,
    "push_to": _push_to,
}
GETS = {"told": _told, "calls": _calls, "forms": _forms}
