"""Draws sample tickets as PNG files, to be looked at."""

import argparse
import sys
from pathlib import Path

from nodes.ticket_printer.picture import draw
from nodes.ticket_printer.ticket import ticket_of
from nodes.ticket_printer.words import words_in
from protocol.instants import from_wire
from protocol.messages import TicketPrinterConfig, TicketReply

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


def samples() -> dict[str, tuple[TicketReply, TicketPrinterConfig, bool]]:
    """Name of the picture to answer, config and whether it is a duplicate."""
    fields = {name: getattr(_REPLY, name) for name in _REPLY.__struct_fields__}
    appointment = TicketReply(**{**fields, "appointment_at": from_wire("2026-11-24T09:25:00.000Z")})
    long = {
        "number": "W000",
        "service_name": "Cartes d’identité, passeports et attestations d’accueil",
        "people_ahead": 137,
        "wait_min": (175, 465),
        "appointment_at": from_wire("2026-11-24T22:25:00.000Z"),
    }
    return {
        "ticket": (_REPLY, _CONFIG, False),
        "ticket-rdv": (appointment, _CONFIG, False),
        "ticket-sans-estimation": (TicketReply(**{**fields, "wait_min": None, "people_ahead": 0}), _CONFIG, False),
        "ticket-duplicata": (appointment, _CONFIG, True),
        "ticket-long": (TicketReply(**{**fields, **long}), _LONG_CONFIG, False),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m nodes.ticket_printer.pictures", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the PNG files go")
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    words = words_in("fr")
    for name, (reply, config, duplicate) in samples().items():
        draw(ticket_of(reply, config, words, duplicate=duplicate)).save(folder / f"{name}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
