"""The messages that the author of the site file's `appointments` reads if something in it is wrong."""

from pathlib import Path

import pytest

from hub.config.site_file import check_text
from hub.site import Appointments, Publik, Site

SITE = """\
name: annexe
town: Ville de Trois-Tilleuls
zone: Europe/Paris
halls: [{name: hall, title: Hall}]
services: [{name: papers, letter: A, title: Papiers, short: Papiers, hall: hall}]
desks: [{name: desk-1, number: 1, hall: hall, serves: [papers]}]
"""
PUBLIK = """\
appointments:
  publik:
    address: https://demarches.trois-tilleuls.example
    client: suivant
    forms:
      - service: papers
        form: rendez-vous
        booking: workflow.data.rdv_response.booking_id
        start: fields.rdv_raw
"""


def read(text: str) -> tuple[Site | None, list[str]]:
    site, problems = check_text(text, Path("site.yaml"))
    return site, [f"{each.line}: {'warning: ' if each.warning else ''}{each}" for each in problems]


def problems(appointments: str) -> list[str]:
    return read(SITE + appointments)[1]


def publik(text: str) -> Publik:
    site, found = read(SITE + text)
    assert site is not None, found
    assert site.appointments.publik is not None
    return site.appointments.publik


def test_a_site_without_appointments_reads_a_file():
    site, _found = read(SITE)
    assert site is not None
    assert site.appointments == Appointments(file="appointments.csv", publik=None)


def test_a_right_publik_is_read_with_its_defaults():
    found = publik(PUBLIK)
    assert (found.login, found.zone, found.chrono, found.triggers.how) == ("signature", None, None, "jump")
    assert found.forms[0].booking == "workflow.data.rdv_response.booking_id"


@pytest.mark.parametrize("address", ["http://127.0.0.1:8000", "http://localhost:8000/wcs", "http://[::1]:8000"])
def test_this_machine_needs_no_https(address: str):
    assert publik(PUBLIK.replace("https://demarches.trois-tilleuls.example", address)).address == address


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "service: papers",
            "service: paper",
            "12: appointments.publik.forms.1.service: this site has no service 'pape",
        ),
        (
            "https://d",
            "http://d",
            "9: appointments.publik.address: 'http://demarches.trois-tilleuls.example' should beg",
        ),
        (
            "https://d",
            "https://x:y@d",
            "9: appointments.publik.address: an address should have no user name or password",
        ),
        (
            "https://demarches.trois-tilleuls.example",
            "https:///x",
            "9: appointments.publik.address: 'https:///x' has no host name",
        ),
        (
            "https://demarches.trois-tilleuls.example",
            "https://a:b/",
            "9: appointments.publik.address: 'https://a:b/' has no host na",
        ),
        (
            "https://demarches",
            "ftp://demarches",
            "9: appointments.publik.address: 'ftp://demarches.trois-tilleuls.exampl",
        ),
        (
            "https://demarches.trois-tilleuls.example",
            "demarches.example.fr",
            "9: appointments.publik.address: 'demarches.example.fr' should be an address that begins with https://",
        ),
        (
            "https://demarches.trois-tilleuls.example",
            "https://demarches.example.fr:99999",
            "9: appointments.publik.address: 'https://demarches.example.fr:99999' has no host name or a wrong port",
        ),
        (
            "client: suivant",
            "client: suivant\n    zone: Europe/Pari",
            "11: appointments.publik.zone: 'Europe/Pari' sho",
        ),
        (
            "client: suivant",
            "client: a:b\n    login: basic",
            "10: appointments.publik.client: HTTP Basic allows no colon in the id",
        ),
        (
            "client: suivant",
            "client: a\n    login: oauth",
            "11: appointments.publik.login: 'oauth' should be one of bas",
        ),
        (
            "form: rendez-vous",
            "form: rendez vous",
            "13: appointments.publik.forms.1.form: 'rendez vous' should be a slu",
        ),
        (
            "start: fields.rdv_raw",
            "start: fields..raw",
            "15: appointments.publik.forms.1.start: 'fields..raw' should be",
        ),
        (
            "start: fields.rdv_raw",
            "start: a\n        agendas: [x]",
            "16: appointments.publik.forms.1.agendas: 'agenda' i",
        ),
        (
            "start: fields.rdv_raw",
            "start: a\n        agenda: x",
            "16: warning: appointments.publik.forms.1.agenda: this",
        ),
        (
            "start: fields.rdv_raw",
            "start: a\n        statuses: ['1', '2']\n        cancelled_statuses: ['2']",
            "17: appointments.publik.forms.1.cancelled_statuses.1: '2' is also in statuses",
        ),
        (
            "appointments:",
            "appointments:\n  days_off: ['2026-02-30']",
            "8: appointments.days_off.1: '2026-02-30' should be a date that exists",
        ),
        (
            "appointments:",
            "appointments:\n  days_off: [Noël]",
            "8: appointments.days_off.1: 'Noël' should be a day, suc",
        ),
        (
            "appointments:",
            "appointments:\n  file: ../x.csv",
            "8: appointments.file: '../x.csv' should be a file name without a folder",
        ),
        (
            "appointments:",
            "appointments:\n  sync_every_s: 1",
            "8: appointments.sync_every_s: '1' should be a whole num",
        ),
    ],
)
def test_a_slip_is_told_with_its_line_its_key_and_what_would_be_right(old: str, new: str, expected: str):
    found = problems(PUBLIK.replace(old, new, 1))
    assert len(found) == 1, found
    assert found[0].startswith(expected)


def test_a_client_that_signs_may_have_a_colon_in_its_name():
    assert publik(PUBLIK.replace("client: suivant", "client: a:b")).client == "a:b"


def test_a_form_that_takes_all_of_another_is_told():
    second = PUBLIK.partition("    forms:\n")[2]
    found = problems(PUBLIK + second)
    assert [each.partition(": separate the two")[0] for each in found] == [
        "17: appointments.publik.forms.2.form: the entry in line 12 already matches every request of this form"
    ]


def test_two_entries_of_one_form_that_differ_in_their_meeting_types_are_right():
    first, second = ("        meeting_types: ['30']\n", "        meeting_types: ['60']\n")
    assert len(publik(PUBLIK + first + PUBLIK.partition("    forms:\n")[2] + second).forms) == 2


def test_no_form_at_all_is_told():
    found = problems(PUBLIK.partition("    forms:\n")[0] + "    forms: []\n")
    assert [each.partition(": no form")[0] for each in found] == ["11: appointments.publik.forms"]


def test_what_chrono_marks_is_told_to_no_trigger_as_well():
    chrono = "    chrono: {address: 'https://agendas.trois-tilleuls.example', presence: true}\n"
    triggers = "    triggers: {served: servi, cancelled: annule}\n"
    found = problems(PUBLIK + chrono + triggers)
    assert [each.partition(": chrono.presence already reports this")[0] for each in found] == [
        "17: appointments.publik.triggers.served"
    ]
    assert publik(PUBLIK + chrono).chrono is not None


def test_chronos_address_must_be_safe_too():
    found = problems(PUBLIK + "    chrono: {address: 'http://agendas.trois-tilleuls.example'}\n")
    assert [each.partition(": 'http")[0] for each in found] == ["16: appointments.publik.chrono.address"]
