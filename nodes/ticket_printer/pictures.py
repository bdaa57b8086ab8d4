"""Draws sample tickets and slips as PNG files, to be looked at."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from nodes.ticket_printer.picture import draw
from nodes.ticket_printer.slip import slip_of
from nodes.ticket_printer.ticket import Ticket, ticket_of
from nodes.ticket_printer.words import Words, words_in
from protocol.instants import from_wire
from protocol.messages import Arrival, CheckInReply, TicketPrinterConfig, TicketReply

_CONFIG = TicketPrinterConfig(
    revision=(1, 1),
    town="Ville de Trois-Tilleuls",
    zone="Europe/Paris",
    buttons=(),
    follow_url="https://trois-tilleuls.example/t/",
)
_LONG_CONFIG = TicketPrinterConfig(
    revision=(1, 1),
    town="Communauté d’agglomération de Trois-Tilleuls-lès-Grandes-Œuvres",
    zone="Europe/Paris",
    buttons=(),
    follow_url="https://accueil.communaute-trois-tilleuls.example/suivre-ma-place-dans-la-file/",
)
_REPLY = TicketReply(
    id="019ab2c0-0000-7000-8000-000000000000",
    number="A012",
    service_name="État civil",
    people_ahead=3,
    issued_at=from_wire("2026-11-24T09:22:00.000Z"),
    code="k7m2q9xw",
    wait_min=(10, 20),
)
_NUMBERED = (Arrival.EARLY, Arrival.ON_TIME, Arrival.LATE, Arrival.MISSED, Arrival.AGAIN, Arrival.CALLED)
# The papers side by side on one sheet, on the grey of a counter.
_SHEET = ("rdv-on_time", "rdv-missed-ailleurs", "rdv-again", "rdv-called", "rdv-wrong_day")
_GAP, _GREY = 32, 0xC0
_LONG_SERVICE = "Cartes d’identité, passeports et attestations d’accueil"
_LONG_HALL = "Rez-de-jardin de l’annexe, aile des Grandes-Œuvres, deuxième salle d’attente"


def samples(words: Words) -> dict[str, Ticket]:
    """All sample papers by the names of their pictures."""
    return dict([*_tickets(words), *_slips(words)])


def _tickets(words: Words) -> Iterator[tuple[str, Ticket]]:
    fields = {name: getattr(_REPLY, name) for name in _REPLY.__struct_fields__}
    appointment = TicketReply(**{**fields, "appointment_at": from_wire("2026-11-24T09:25:00.000Z")})
    unknown = TicketReply(**{**fields, "wait_min": None, "people_ahead": 0})
    long = {
        "number": "W000",
        "service_name": _LONG_SERVICE,
        "people_ahead": 137,
        "wait_min": (175, 465),
        "appointment_at": from_wire("2026-11-24T22:25:00.000Z"),
    }
    yield "ticket", ticket_of(_REPLY, _CONFIG, words)
    yield "ticket-rdv", ticket_of(appointment, _CONFIG, words)
    yield "ticket-sans-estimation", ticket_of(unknown, _CONFIG, words)
    yield "ticket-duplicata", ticket_of(appointment, _CONFIG, words, duplicate=True)
    yield "ticket-long", ticket_of(TicketReply(**{**fields, **long}), _LONG_CONFIG, words)


def _slips(words: Words) -> Iterator[tuple[str, Ticket]]:
    """Each answer to a check-in: plain, for another hall, and with the longest possible names."""
    for arrival in Arrival:
        reply = check_in_reply(arrival)
        yield f"rdv-{arrival}", slip_of(reply, _CONFIG, words, _REPLY.issued_at)
        elsewhere = check_in_reply(arrival, hall="Premier étage")
        yield f"rdv-{arrival}-ailleurs", slip_of(elsewhere, _CONFIG, words, _REPLY.issued_at)
        long = check_in_reply(arrival, hall=_LONG_HALL, service_name=_LONG_SERVICE, desk="99", people_ahead=137)
        yield f"rdv-{arrival}-long", slip_of(long, _LONG_CONFIG, words, _REPLY.issued_at)


def check_in_reply(arrival: Arrival, **changes: object) -> CheckInReply:
    """The hub's answer to a check-in. For an unknown code it has no appointment, and `changes` are ignored."""
    fields: dict[str, object] = {"id": _REPLY.id, "arrival": arrival}
    if arrival is not Arrival.UNKNOWN:
        day = "2026-12-01" if arrival is Arrival.WRONG_DAY else "2026-11-24"
        fields |= {"appointment_at": from_wire(f"{day}T09:35:00.000Z"), "service_name": _REPLY.service_name}
    if arrival in _NUMBERED:
        fields |= {"number": "A012", "people_ahead": 3, "issued_at": _REPLY.issued_at, "code": _REPLY.code}
        fields |= {"wait_min": _REPLY.wait_min}
    if arrival is Arrival.CALLED:
        fields |= {"desk": "3"}
    known = {name: value for name, value in changes.items() if arrival is not Arrival.UNKNOWN}
    return CheckInReply(**{**fields, **known})  # type: ignore[arg-type]


def sheet(papers: Sequence[Image.Image]) -> Image.Image:
    """The papers side by side."""
    width = sum(paper.width for paper in papers) + _GAP * (len(papers) + 1)
    made = Image.new("L", (width, max(paper.height for paper in papers) + 2 * _GAP), _GREY)
    left = _GAP
    for paper in papers:
        made.paste(paper.convert("L"), (left, _GAP))
        left += paper.width + _GAP
    return made


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m nodes.ticket_printer.pictures", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder for the PNG files")
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {name: draw(ticket) for name, ticket in samples(words_in("fr")).items()}
    for name, picture in (drawn | {"slips": sheet([drawn[name] for name in _SHEET])}).items():
        picture.save(folder / f"{name}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
