"""Keeps the made-up town in a file, so that it survives a restart as a real one does."""

import json
from dataclasses import asdict
from pathlib import Path

from tests.publik.town import BookingKept, Form, Town


def save(town: Town, file: Path) -> None:
    with town.lock:
        forms = {slug: [asdict(form) for form in forms.values()] for slug, forms in town.forms.items()}
        bookings = [asdict(booking) for booking in town.bookings.values()]
        text = json.dumps({"forms": forms, "bookings": bookings, "told": town.told})
        whole = file.with_suffix(".new")
        whole.write_text(text, encoding="utf-8")
        whole.replace(file)


def restore(town: Town, file: Path) -> None:
    """Restore the town from the file, if there is one."""
    if not file.exists():
        return
    found = json.loads(file.read_text(encoding="utf-8"))
    with town.lock:
        town.forms |= {slug: {form["id"]: Form(**form) for form in forms} for slug, forms in found["forms"].items()}
        town.bookings |= {booking["id"]: BookingKept(**booking) for booking in found["bookings"]}
        town.told += found["told"]
        town.count_on()
