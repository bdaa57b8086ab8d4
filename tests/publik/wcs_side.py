"""w.c.s. as the hub sees it: lists of a form's requests, one request, triggers and global actions."""

import json
import re
from datetime import datetime

from tests.publik.replies import Reply, Request, answer, denied, refuse
from tests.publik.town import ACTIONS, BOOKED, WORKFLOW, Form, Town

# [code] The parameters that a list knows; any other is an unknown filter.
KNOWN = {"filter", "filter-operator", "filter-start-mtime", "filter-start-mtime-value", "filter-end-mtime"}
KNOWN |= {"filter-end-mtime-value", "filter-user-uuid", "q", "order_by", "offset", "limit", "full"}
SIGNATURE = {"orig", "algo", "timestamp", "nonce", "signature", "email", "NameID"}
# [code] The groups of statuses that a filter may name instead of a status.
GROUPS = {"all", "pending", "done"}
DONE = {"3", "4", "5", "8"}


def wcs(town: Town, request: Request) -> Reply | None:
    """w.c.s.'s reply, or None if the address is not one of w.c.s.'s."""
    for pattern, route in ROUTES:
        found = re.fullmatch(pattern, request.path)
        if found:
            with town.lock:
                return route(town, request, *found.groups())
    return None


def list_forms(town: Town, request: Request, slug: str) -> Reply:
    """[code] A bare array without drafts."""
    if not town.switches.has_role:
        return denied(request, "unsufficient roles")
    if slug not in town.forms:
        return refuse(request, 404, "Not found", "no such form")  # [infer]
    unknown = sorted(set(request.query) - KNOWN - SIGNATURE - {f"filter-{each}" for each in ("rdv", "nom", "prenom")})
    if unknown:
        return refuse(request, 400, "Invalid request", f"Invalid filter “{unknown[0]}”")  # [code]
    try:
        offset, limit = int(request.one("offset", "0")), int(request.one("limit", "1000000"))
        since = _since(request)
        limit = limit if town.limit_most is None else min(limit, town.limit_most)
    except ValueError:
        return refuse(request, 400, "Invalid request", "Invalid parameter")  # [code]
    wanted = request.one("filter", "all")
    if wanted not in GROUPS and wanted not in WORKFLOW and wanted not in {each.name for each in WORKFLOW.values()}:
        return refuse(request, 400, "Invalid request", f"Invalid filter “{wanted}”")
    forms = sorted(town.forms[slug].values(), key=lambda form: form.id, reverse=town.switches.newest_first)
    forms = [form for form in forms if not form.draft and _in_group(form, wanted) and _changed(town, form, since)]
    full = request.one("full") == "on"
    # [code] No limit unless the call gives one; [] past the end.
    return answer([_export(town, form, full=full) for form in forms[offset : offset + limit]])


def _since(request: Request) -> datetime | None:
    """[code] A date, or a date with a local minute; read only with `filter-start-mtime=on`."""
    text = request.one("filter-start-mtime-value")
    if request.one("filter-start-mtime") != "on" or text is None:
        return None
    return datetime.strptime(text, "%Y-%m-%d %H:%M" if " " in text else "%Y-%m-%d")  # noqa: DTZ007


def _changed(town: Town, form: Form, since: datetime | None) -> bool:
    if since is None:
        return True
    if town.switches.mtime_as_written:
        return town.local(form.changed_ms) >= since
    return form.changed_ms >= int(since.replace(tzinfo=town.zone).timestamp() * 1000)


def _in_group(form: Form, wanted: str) -> bool:
    if wanted == "all":
        return True
    if wanted in GROUPS:
        return (form.status in DONE) == (wanted == "done")
    return wanted in {form.status, WORKFLOW[form.status].name}


def one_form(town: Town, request: Request, slug: str, id_: str) -> Reply:
    """[code] Everything, including files, except what `include-…=off` switches off."""
    if not town.switches.has_role:
        return denied(request, "unsufficient roles")
    form = town.forms.get(slug, {}).get(int(id_))
    if form is None:
        return refuse(request, 404, "Not found", "no such form data")
    shown = _export(town, form, full=True)
    if request.one("include-files-content") != "off":
        shown["fields"]["piece_jointe"] = {"filename": "piece.pdf", "content": "UGllY2UgaW52ZW50w6ll" * 1000}
    for part in ("user", "evolution", "roles", "submission"):
        if request.one(f"include-{part}") == "off":
            shown.pop(part, None)
    return answer(shown)


def _export(town: Town, form: Form, *, full: bool) -> dict:
    """[code] What `full=on` adds. Times are naive and local, with a T."""
    switches = town.switches
    shown = {
        "id": f"{form.slug}/{form.id}" if switches.id_with_slug else str(form.id),
        "internal_id": str(form.id),
        "receipt_time": town.local(form.received_ms).isoformat(timespec="seconds"),
        "last_update_time": town.local(form.changed_ms).isoformat(timespec="seconds"),
        "display_id": f"7-{form.id}",
    }
    if switches.id_by_template:
        shown["id"] = f"rdv-{form.id}-{form.received_ms}"
    if not full:
        return shown
    # [code] A draft has no status.
    real = {} if form.draft else {"real_status": _status(form.status)}
    seen = {} if form.draft else {"status": _status(BOOKED if switches.hides_all_but_booked else form.status)}
    private = {} if switches.anonymised else form.fields
    kept = {each: form.fields[each] for each in ("rdv_raw", "code_rdv", "agenda_rdv") if each in form.fields}
    # [code] Backoffice fields; here the booking's id, after the workflow has put it there.
    backoffice = {"rdv_id": form.data.get("rdv_response", {}).get("booking_id")}
    workflow = {**seen, **real, "fields": backoffice, "data": form.data}
    shown |= {
        "fields": {**private, **kept},
        "user": {"name": form.fields.get("nom"), "id": 1},
        "evolution": [{"time": shown["receipt_time"]}] * form.evolution,
        "submission": {"backoffice": False, "channel": "web"},
        "workflow": workflow,
        "roles": {"_receiver": []},
    }
    if switches.anonymised:
        # [code] "Workflow data have unknown purpose": they are left out, as is the citizen.
        del shown["user"], workflow["data"]
    return shown


def _status(status: str) -> dict:
    return {"id": status, "name": WORKFLOW[status].name}


def trigger(town: Town, request: Request, slug: str, id_: str, name: str) -> Reply:
    """[code] POST or PUT; 404 if the status does not offer this jump."""
    return _told(town, request, "jump", slug, id_, name)


def action(town: Town, request: Request, slug: str, id_: str, name: str) -> Reply:
    """[code] A global action, offered by every status."""
    return _told(town, request, "action", slug, id_, name)


def _told(town: Town, request: Request, how: str, slug: str, id_: str, name: str) -> Reply:
    if request.method not in {"POST", "PUT"}:
        return denied(request, "Wrong HTTP method (must be POST or PUT).")
    form = town.forms.get(slug, {}).get(int(id_))
    leads_to = ACTIONS if how == "action" else WORKFLOW[form.status].triggers if form else {}
    if form is None or name not in leads_to:
        return refuse(request, 404, "Not found", "no such trigger")
    if not town.switches.has_role:
        return denied(request, "Unsufficient roles.")  # [code] spelled like this
    if not town.switches.condition_met:
        return denied(request, "Unmet condition.")  # [code]
    if request.body:
        try:
            json.loads(request.body)
        except ValueError:
            return refuse(request, 400, "Invalid request", "Invalid JSON")  # [code]
    before = form.status
    town.told.append({"how": how, "form": slug, "id": form.id, "name": name, "from": before})
    town.jump(form, leads_to[name])
    return answer({"err": 0, "url": None})  # [code]


_FORM = r"([a-z0-9-]+)/([0-9]+)"
ROUTES = (
    (r"/api/forms/([a-z0-9-]+)/list", list_forms),
    (rf"/api/forms/{_FORM}/", one_form),
    (rf"/{_FORM}/jump/trigger/([a-z0-9-]+)/", trigger),
    (rf"/(?:api/forms/)?{_FORM}/hooks/([a-z0-9-]+)/", action),
)
