"""Draws every picture of a hall into a folder, with made-up data: `python -m nodes.display.pictures FOLDER`."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from protocol.instants import Instant, from_wire
from protocol.messages import Announce, Call, Emergency, HallState, Waiting

_NOW = from_wire("2026-11-24T09:42:07Z")
_REVISION = (1, 40)


def _call(number: str, desk: str) -> Call:
    return Call(id=f"call-{number}", number=number, desk=desk, at=_NOW)


def _announce(number: str, desk: str) -> Announce:
    return Announce(
        revision=_REVISION,
        id=f"announcement-{number}",
        call=f"call-{number}",
        number=number,
        desk=desk,
        play_at=_NOW,
        length_ms=8_000,
    )


def _waiting(letter: str, name: str, count: int) -> Waiting:
    return Waiting(service=f"service-{letter.lower()}", letter=letter, name=name, count=count)


HALL = HallState(
    revision=_REVISION,
    hall="rez-de-chaussee",
    town="Ville de Trois-Tilleuls",
    zone="Europe/Paris",
    at=_NOW,
    open=True,
    calls=(_call("A012", "3"), _call("C031", "7"), _call("C030", "4"), _call("F004", "9")),
    waiting=(
        _waiting("A", "État civil", 5),
        _waiting("C", "Identité", 4),
        _waiting("F", "Famille", 0),
        _waiting("M", "Accueil", 12),
    ),
    messages=("Préparez votre pièce d’identité et vos photos.",),
)
EMERGENCY = Emergency(title="Évacuation", lines=("Sortez maintenant.", "Ne courez pas.", "Pas d’ascenseur."))

LANDSCAPE, PORTRAIT = (1920, 1080), (1080, 1920)


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture: its file's name, the screen's size, and what it shows."""

    name: str
    size: tuple[int, int]
    hall: HallState | None = HALL
    announcement: Announce | None = None
    offline_s: int | None = None
    unheard: bool = False
    now: Instant = _NOW


def _hall(**changes: object) -> HallState:
    return replace(HALL, **changes)


_UPRIGHT_HALL = _hall(messages=("Préparez votre pièce d’identité.",))
SAMPLES = (
    Sample("hall-appel", LANDSCAPE, announcement=_announce("A012", "3")),
    Sample("hall-appel-max", LANDSCAPE, announcement=_announce("W088", "12")),
    Sample("hall-repos", LANDSCAPE),
    Sample("hall-hors-ligne", LANDSCAPE, offline_s=25),
    Sample("hall-sans-serveur", LANDSCAPE, unheard=True),
    Sample("hall-urgence", LANDSCAPE, hall=_hall(emergency=EMERGENCY)),
    Sample("hall-bienvenue", LANDSCAPE, hall=_hall(calls=())),
    Sample(
        "hall-ferme",
        LANDSCAPE,
        hall=_hall(calls=(), open=False, opens="8:30", waiting=()),
    ),
    Sample("hall-sans-donnees", LANDSCAPE, hall=None),
    Sample("hall-portrait-appel", PORTRAIT, announcement=_announce("A012", "3"), hall=_UPRIGHT_HALL),
    Sample("hall-portrait-repos", PORTRAIT, hall=_UPRIGHT_HALL),
    Sample("hall-portrait-hors-ligne", PORTRAIT, offline_s=25, hall=_UPRIGHT_HALL),
    Sample("hall-portrait-sans-serveur", PORTRAIT, unheard=True, hall=_UPRIGHT_HALL),
    Sample("hall-portrait-urgence", PORTRAIT, hall=_hall(emergency=EMERGENCY)),
    Sample("hall-portrait-sans-donnees", PORTRAIT, hall=None),
)


def main(folder: Path) -> None:
    # Nothing is shown, so SDL needs no screen.
    os.environ["SDL_VIDEODRIVER"] = "dummy"
    import pygame

    from nodes.display.layout import Scene, lay_out
    from nodes.display.painter import Fonts, Painter
    from nodes.display.sizes import Screen
    from nodes.display.words import words_in

    pygame.display.set_mode((1, 1))
    folder.mkdir(parents=True, exist_ok=True)
    fonts, words = Fonts(), words_in("fr")
    for sample in SAMPLES:
        surface = pygame.Surface(sample.size)
        scene = Scene(
            now_ms=sample.now,
            node="display-1",
            town=HALL.town,
            letters="ACFM",
            hall=sample.hall,
            announcement=sample.announcement,
            offline_s=sample.offline_s,
            unheard=sample.unheard,
        )
        Painter(surface, fonts).paint(lay_out(scene, Screen(*sample.size), words, fonts.width))
        pygame.image.save(surface, folder / f"{sample.name}.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m nodes.display.pictures", description=__doc__)
    parser.add_argument("folder", type=Path)
    main(parser.parse_args().folder)
