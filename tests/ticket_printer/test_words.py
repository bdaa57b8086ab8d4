"""What a ticket says."""

from unicodedata import normalize
from zoneinfo import ZoneInfo

import pytest

from nodes.ticket_printer.ticket import date_words, local_time, printable, split_number, test_ticket, ticket_of
from nodes.ticket_printer.words import Words, words_in
from protocol.instants import from_wire
from tests.ticket_printer.hub import CONFIG, ticket_reply

ID = "019ab2c0-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def french() -> Words:
    return words_in("fr")


def test_a_ticket_speaks_french(french: Words) -> None:
    reply = ticket_reply(ID, appointment_at=from_wire("2026-11-24T09:25:00.000Z"))
    ticket = ticket_of(reply, CONFIG, french)
    assert ticket.town == "Ville de Trois-Tilleuls"
    assert ticket.number == ("A", "012")
    assert ticket.appointment == "RDV 10:25"
    assert (ticket.label, ticket.headline) == ("Attente estimée", "entre 10 et 20\u00a0min")
    assert ticket.ahead == "3 personnes avant vous"
    assert ticket.follow == "https://trois-tilleuls.example/t/k7m2q9xw"
    assert ticket.date == "mardi 24 novembre 2026, 10:22"
    assert ticket.absent_hint == "Appelé et absent\u00a0? Voyez l’accueil."
    assert ticket.duplicate is None


def test_without_enough_measured_visits_a_ticket_promises_nothing(french: Words) -> None:
    ticket = ticket_of(ticket_reply(ID, wait_min=None), CONFIG, french)
    assert (ticket.label, ticket.headline) == (None, "Attente\u00a0: voir les écrans")


@pytest.mark.parametrize(
    ("range_min", "said"),
    [
        ((10, 20), "entre 10 et 20\u00a0min"),
        ((0, 5), "moins de 5\u00a0min"),
        ((0, 0), "moins de 5\u00a0min"),
        ((15, 15), "environ 15\u00a0min"),
    ],
)
def test_a_range_is_said_as_a_person_would_say_it(french: Words, range_min: tuple[int, int], said: str) -> None:
    assert ticket_of(ticket_reply(ID, wait_min=range_min), CONFIG, french).headline == said


@pytest.mark.parametrize(
    ("people", "said"),
    [(0, "Personne avant vous"), (1, "1 personne avant vous"), (2, "2 personnes avant vous")],
)
def test_people_ahead_are_counted_as_french_counts(french: Words, people: int, said: str) -> None:
    assert ticket_of(ticket_reply(ID, people_ahead=people), CONFIG, french).ahead == said


def test_a_second_paper_says_that_it_is_one(french: Words) -> None:
    assert ticket_of(ticket_reply(ID), CONFIG, french, duplicate=True).duplicate == "DUPLICATA"


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        ("2026-01-01T00:30:00.000Z", "jeudi 1er janvier 2026, 1:30"),
        ("2026-07-14T22:05:00.000Z", "mercredi 15 juillet 2026, 0:05"),
        ("2026-08-03T10:00:00.000Z", "lundi 3 août 2026, 12:00"),
    ],
)
def test_a_date_is_in_the_towns_own_time_and_language(french: Words, moment: str, said: str) -> None:
    assert date_words(local_time(from_wire(moment), ZoneInfo("Europe/Paris")), french) == said


@pytest.mark.parametrize(
    ("number", "parts"), [("A012", ("A", "012")), ("W1000", ("W", "1000")), ("7", ("", "7")), ("A", ("", "A"))]
)
def test_a_number_is_letter_and_digits(number: str, parts: tuple[str, str]) -> None:
    assert split_number(number) == parts


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Élève çà où œuvre € N° « »", "Élève çà où œuvre € N° « »"),
        ("L’HAŸ-LES-ROSES, Šibenik", "L’HAŸ-LES-ROSES, Šibenik"),
        (normalize("NFD", "Besançon, État civil"), "Besançon, État civil"),
        ("Łódź", "?ódz"),
        ("5 ‰", "5 ?"),
        ("10\u202f%", "10\u00a0%"),
        ("deux\nlignes\x1b@", "deux lignes@"),
    ],
)
def test_a_name_is_shown_in_signs_the_paper_has(given: str, shown: str) -> None:
    assert printable(given) == shown


def test_an_unknown_language_is_english() -> None:
    assert ticket_of(ticket_reply(ID), CONFIG, words_in("en")).headline == "between 10 and 20 min"


def test_a_test_paper_can_be_taken_for_no_ticket(french: Words) -> None:
    paper = test_ticket(CONFIG, None, french)
    assert paper.number == ("", "ESSAI")
    assert paper.date == ""


test_ticket.__test__ = False  # type: ignore[attr-defined]
