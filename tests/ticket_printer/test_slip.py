"""What a visitor with an appointment reads on the slip, for each answer of the hub."""

import pytest
from msgspec.structs import replace

from nodes.ticket_printer.pictures import check_in_reply
from nodes.ticket_printer.slip import slip_of
from nodes.ticket_printer.ticket import Ticket
from nodes.ticket_printer.words import words_in
from protocol.instants import from_wire
from protocol.messages import Arrival, CheckInReply
from tests.ticket_printer.hub import CONFIG, ISSUED_AT

N = "\u00a0"
RECEPTION = "Adressez-vous à l’accueil."
WAITS = (Arrival.EARLY, Arrival.ON_TIME, Arrival.LATE, Arrival.MISSED, Arrival.AGAIN)
HELPLESS = (Arrival.ABSENT, Arrival.WRONG_DAY, Arrival.CANCELLED, Arrival.ENDED, Arrival.UNKNOWN)
TUESDAY = f"mardi{N}24{N}novembre{N}2026,{N}10:35"
NEXT_TUESDAY = f"mardi{N}1er{N}décembre{N}2026,{N}10:35"
RANGE = f"Attente estimée{N}: entre{N}10{N}et{N}20{N}min"
SAID = {
    Arrival.EARLY: (
        "Vous êtes en avance",
        ("Votre rendez-vous est à 10:35.", f"Vous pouvez être appelé avant{N}: restez en salle."),
    ),
    Arrival.ON_TIME: ("Vous êtes à l’heure", ("Attendez votre appel.", RANGE)),
    Arrival.LATE: ("Votre rendez-vous est maintenu", ("Vous avez un peu de retard. Attendez votre appel.", RANGE)),
    Arrival.MISSED: (
        "L’heure de votre rendez-vous est passée",
        ("Vous attendez maintenant comme les visiteurs sans rendez-vous.", RANGE),
    ),
    Arrival.AGAIN: ("Arrivée déjà enregistrée", ("Votre numéro ne change pas. Attendez votre appel.",)),
    Arrival.CALLED: (f"C’est votre tour{N}: guichet{N}3", ("Présentez-vous maintenant.",)),
    Arrival.ABSENT: ("Vous avez été appelé", ("Personne ne s’est présenté.", RECEPTION)),
    Arrival.WRONG_DAY: (
        "Ce n’est pas aujourd’hui",
        (f"Votre rendez-vous{N}: {NEXT_TUESDAY}", "Revenez ce jour-là, ou adressez-vous à l’accueil."),
    ),
    Arrival.CANCELLED: ("Rendez-vous annulé", (f"Votre rendez-vous{N}: {TUESDAY}", RECEPTION)),
    Arrival.ENDED: ("Visite terminée", (f"Votre rendez-vous{N}: {TUESDAY}", f"Une question{N}? {RECEPTION}")),
    Arrival.UNKNOWN: (
        "Code inconnu",
        (
            "Aucun rendez-vous ne correspond à ce code. Comparez-le avec votre confirmation et réessayez.",
            "Sinon, adressez-vous à l’accueil.",
        ),
    ),
}


def slip(arrival: Arrival, at_ms: int | None = ISSUED_AT, *, duplicate: bool = False, **changes: object) -> Ticket:
    reply: CheckInReply = replace(check_in_reply(arrival), **changes)
    return slip_of(reply, CONFIG, words_in("fr"), at_ms, duplicate=duplicate)


@pytest.mark.parametrize("arrival", Arrival)
def test_each_answer_has_its_own_words(arrival: Arrival) -> None:
    made = slip(arrival)
    assert (made.headline, made.notes) == SAID[arrival]


def test_no_two_answers_sound_alike() -> None:
    assert len({headline for headline, _ in SAID.values()}) == len(Arrival)


@pytest.mark.parametrize("arrival", WAITS)
def test_who_waits_has_all_that_a_ticket_has(arrival: Arrival) -> None:
    made = slip(arrival)
    assert (made.number, made.service, made.appointment) == (("A", "012"), "État civil", "RDV 10:35")
    assert made.ahead == "3 personnes avant vous"
    assert made.follow == "https://trois-tilleuls.example/t/k7m2q9xw"
    assert made.absent_hint == f"Appelé et absent{N}? Voyez l’accueil."
    assert made.date == "mardi 24 novembre 2026, 10:22"


@pytest.mark.parametrize("arrival", Arrival)
def test_only_a_number_that_was_printed_before_is_a_duplicate(arrival: Arrival) -> None:
    assert slip(arrival).duplicate == ("DUPLICATA" if arrival is Arrival.AGAIN else None)
    assert slip(arrival, duplicate=True).duplicate == ("DUPLICATA" if arrival in WAITS else None)


@pytest.mark.parametrize("arrival", HELPLESS)
def test_whom_the_dispenser_cannot_help_gets_no_number_whatever_the_hub_sends(arrival: Arrival) -> None:
    made = slip(arrival, number="A012", code="k7m2q9xw", people_ahead=3)
    assert (made.number, made.follow, made.ahead, made.absent_hint) == (None, None, None, None)
    assert "accueil" in " ".join(made.notes)


def test_who_is_called_reads_the_number_and_the_desk_and_no_more_than_that() -> None:
    made = slip(Arrival.CALLED)
    assert made.number == ("A", "012")
    assert (made.follow, made.ahead) == (None, None)


def test_who_is_called_to_a_desk_that_is_gone_is_sent_to_the_screens() -> None:
    made = slip(Arrival.CALLED, desk=None)
    assert (made.headline, made.notes) == (
        "C’est votre tour",
        ("Regardez les écrans, ou adressez-vous à l’accueil.",),
    )


@pytest.mark.parametrize("arrival", WAITS)
def test_who_is_to_wait_elsewhere_reads_where(arrival: Arrival) -> None:
    assert slip(arrival, hall="Premier étage").notes[-1] == f"Lieu d’attente{N}: Premier étage"


def test_who_is_called_elsewhere_reads_where() -> None:
    assert slip(Arrival.CALLED, hall="1er étage").notes[-1] == f"Salle{N}: 1er étage"


@pytest.mark.parametrize("arrival", HELPLESS)
def test_who_does_not_wait_is_sent_to_no_hall(arrival: Arrival) -> None:
    assert slip(arrival, hall="Premier étage").notes == SAID[arrival][1]


def test_nobody_is_asked_to_come_back_on_a_day_that_is_over() -> None:
    made = slip(Arrival.WRONG_DAY, appointment_at=from_wire("2026-11-20T08:00:00.000Z"))
    assert made.notes == (
        f"Votre rendez-vous{N}: vendredi{N}20{N}novembre{N}2026,{N}9:00",
        "Ce jour est passé. Adressez-vous à l’accueil.",
    )


def test_who_comes_after_the_end_of_the_day_is_not_told_that_it_is_another_day() -> None:
    made = slip(
        Arrival.WRONG_DAY,
        from_wire("2026-11-24T17:05:00.000Z"),
        appointment_at=from_wire("2026-11-24T15:30:00.000Z"),
    )
    assert made.headline == "L’heure de votre rendez-vous est passée"
    assert made.notes == (f"Votre rendez-vous{N}: mardi{N}24{N}novembre{N}2026,{N}16:30", RECEPTION)


@pytest.mark.parametrize("arrival", WAITS)
def test_without_enough_measured_visits_no_range_is_promised(arrival: Arrival) -> None:
    assert slip(arrival, wait_min=None).notes == tuple(note for note in SAID[arrival][1] if note != RANGE)


def test_without_an_appointments_time_nothing_is_said_of_it() -> None:
    assert slip(Arrival.CANCELLED, appointment_at=None).notes == (RECEPTION,)
    assert slip(Arrival.EARLY, appointment_at=None).notes == SAID[Arrival.EARLY][1][1:]


@pytest.mark.parametrize("arrival", HELPLESS)
def test_a_short_slip_is_dated_by_the_hubs_time_where_it_is_known(arrival: Arrival) -> None:
    assert slip(arrival, from_wire("2026-11-24T10:00:00.000Z")).date == "mardi 24 novembre 2026, 11:00"
    assert slip(arrival, None).date == ""


def test_the_summer_time_of_an_appointment_is_that_of_its_day() -> None:
    made = slip(Arrival.WRONG_DAY, appointment_at=from_wire("2027-03-29T08:35:00.000Z"))
    assert f"lundi{N}29{N}mars{N}2027,{N}10:35" in made.notes[0]


@pytest.mark.parametrize("arrival", Arrival)
def test_every_sentence_is_in_english_where_there_is_no_catalogue(arrival: Arrival) -> None:
    made = slip_of(check_in_reply(arrival), CONFIG, words_in("en"), ISSUED_AT)
    assert made.headline not in {headline for headline, _ in SAID.values()}
    assert "{" not in made.headline + "".join(made.notes)
