"""What an administrator reads from `suivant publik check`."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import hub
from hub.__main__ import main
from hub.findings import Finding, Level
from hub.publik.check import check
from hub.publik.secrets import Secrets
from tests.publik.conftest import FORM, PATIENT, SECRETS, TRIGGERS, Opened, form, system_ms
from tests.publik.faults import Fault as Told
from tests.publik.server import KEY, TestPublik


@pytest.fixture
def checked(opened: Opened) -> Callable[..., list[Finding]]:
    """Gives the findings for a Publik described by `changes`."""

    def run(secrets: Secrets = SECRETS, **changes: object) -> list[Finding]:
        return list(check(opened.site, opened.described(**changes), secrets, system_ms, PATIENT))

    return run


def said(findings: list[Finding]) -> str:
    return "\n".join(str(each) for each in findings)


def wrong(findings: list[Finding]) -> list[str]:
    return [each.words for each in findings if each.level is Level.WRONG]


def test_all_is_well_and_no_name_or_code_is_told(publik: TestPublik, checked):
    for number in range(3):
        publik.town.book(FORM, "2026-11-25 10:00", code=f"geheim9{number}")
    publik.town.book(FORM, "2026-11-25 10:00", failed=True)
    findings = checked(triggers=TRIGGERS, chrono=True)
    assert wrong(findings) == []
    text = said(findings)
    for words in (
        "can be reached, without TLS",
        "clock and Publik's agree",
        f"form {FORM}, service identity: a booking in 3 of 4 requests",
        "a start in 3 of 3 requests",
        "a name in 3 of 3 requests",
        "a code in 3 of 3 requests",
        "statuses seen (id, name): 1, Réservé",
        "not tested, since they would change requests: arrived suivant-arrive",
        "Chrono agenda mairie (Agenda mairie), meetings: meeting types 30 (Rendez-vous 30)",
        "Chrono: the hub may read a single booking",
    ):
        assert words in text
    for private in ("Zoé", "Exemple", "exemple", "geheim9", "GEHEIM9", "personne"):
        assert private not in text
    # Nothing was changed.
    assert publik.town.told == []
    assert {method for method, _path, _query in publik.calls} == {"GET"}


def test_a_form_without_a_request_can_only_be_said_to_be_there(checked):
    findings = checked()
    assert wrong(findings) == []
    assert "there is no request yet to test the mapping with" in said(findings)


def test_a_wrong_key_is_told(checked):
    findings = checked(secrets=Secrets(key=b"another"))
    (told,) = wrong(findings)
    assert "answered HTTP 403, access denied: invalid signature: check the key or password" in told
    # Another identifier is refused in the same way.
    assert "that client is the API client's identifier" in told
    assert "hub accepts Publik's calls" not in said(findings)
    assert "Publik's calls: no form could be read, so it is not known whether the key is right" in said(findings)


def test_a_key_is_proved_by_the_calls_that_it_signed(publik: TestPublik, checked):
    assert "ok     the hub accepts Publik's calls if orig is 127.0.0.1 and they are signed with this key" in said(
        checked()
    )
    by_password = said(checked(login="basic"))
    assert (
        "note   the hub accepts Publik's calls if orig is 127.0.0.1 and they are signed with the key in" in by_password
    )
    assert "it is not tested" in by_password


def test_a_wrong_password_is_told(checked):
    (told,) = wrong(checked(secrets=Secrets(password="another"), login="basic"))
    assert "access denied: User not authenticated." in told


def test_a_clock_that_is_off_is_told_by_how_much(publik: TestPublik, checked):
    publik.town.clock_off_ms = 100_000
    first, _denied = wrong(checked())
    assert re.fullmatch(
        r"this machine's clock is (99|100|101) s behind Publik's: signatures are refused beyond 30 s, "
        "so synchronize both with NTP",
        first,
    )


def test_a_clock_that_is_a_little_off_is_only_noted(publik: TestPublik, checked):
    publik.town.clock_off_ms = -20_000
    findings = checked()
    assert wrong(findings) == []
    assert re.search(
        r"note +this machine's clock is (19|20|21) s ahead of Publik's: synchronize both with NTP", said(findings)
    )


def test_a_password_needs_no_right_clock(publik: TestPublik, checked):
    publik.town.clock_off_ms = 100_000
    findings = checked(login="basic")
    assert wrong(findings) == []
    assert "s behind Publik's: synchronize both with NTP" in said(findings)


def test_a_machine_that_is_not_reached_ends_it(checked):
    findings = checked(address="http://127.0.0.1:1", forms=(form(), form(form="other")))
    assert wrong(findings) == ["http://127.0.0.1:1/api/forms/other/list cannot be reached: it refused the connection"]


def test_an_address_that_leads_elsewhere_is_not_said_to_be_reached_and_ends_it(publik: TestPublik, checked):
    publik.faults.append(Told("redirect", times=None))
    findings = checked(forms=(form(), form(form="other")))
    (told,) = wrong(findings)
    assert "/api/forms/other/list answered HTTP 302, a redirection to" in told
    assert "is reached" not in said(findings)


def test_a_single_request_that_is_refused_says_nothing_against_the_key_that_signed_its_list(
    publik: TestPublik, checked
):
    publik.town.book(FORM, "2026-11-25 10:00")
    publik.faults.append(Told("status", match=f"/{FORM}/1/", status=403, times=None))
    findings = checked()
    assert len(wrong(findings)) == 1
    assert "ok     the hub accepts Publik's calls" in said(findings)


def test_an_unknown_form_is_told_and_the_others_are_tried(publik: TestPublik, checked):
    publik.town.book(FORM, "2026-11-25 10:00")
    findings = checked(forms=(form(form="away"), form()))
    (told,) = wrong(findings)
    assert told.startswith("form away: ")
    assert told.endswith("HTTP 404, not known there: no such form: check the form's slug")
    assert "a booking in 1 of 1 requests" in said(findings)


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        (
            {"booking": "workflow.data.reservation_response.booking_id"},
            "no booking in 1 requests: nothing usable at workflow.data.reservation_response.booking_id; workflow",
        ),
        (
            {"start": "fields.debut"},
            (
                "a start in 0 of 1 requests: nothing usable at fields.debut; "
                "fields has agenda_rdv, code_rdv, courriel, nom, pre"
            ),
        ),
        ({"start": "fields.rdv"}, "a start in 0 of 1 requests: nothing usable at fields.rdv; fields has agenda_rdv"),
        (
            {"start": "champs.rdv"},
            "a start in 0 of 1 requests: nothing usable at champs.rdv; the request has display_id, ev",
        ),
        ({"code": "fields.code"}, "a code in 0 of 1 requests: nothing usable at fields.code; fields has"),
        (
            {"agenda": "fields.agenda", "agendas": ("mairie",)},
            "an agenda in 0 of 1 requests: nothing usable at fields.agenda; fields has",
        ),
    ],
)
def test_a_path_that_leads_nowhere_is_told_with_the_keys_that_are_there(publik: TestPublik, checked, mapping, words):
    publik.town.book(FORM, "2026-11-25 10:00")
    (told,) = wrong(checked(forms=(form(**mapping),)))
    assert told.startswith(f"form {FORM}, service identity: {words}")
    assert "Exemple" not in told


def test_all_paths_of_a_form_that_lead_nowhere_are_told_at_once(publik: TestPublik, checked):
    publik.town.book(FORM, "2026-11-25 10:00")
    mapping = {"start": "fields.debut", "names": ("fields.prenom", "fields.famille"), "code": "fields.code"}
    starts = [
        "a start in 0 of 1 requests: nothing usable at fields.debut",
        "a name is missing in every request: nothing usable at fields.famille",
    ]
    starts += ["a code in 0 of 1 requests: nothing usable at fields.code"]
    for booking in ("workflow.data.rdv_response.booking_id", "workflow.data.reservation.booking_id"):
        told = wrong(checked(forms=(form(booking=booking, **mapping),)))
        expected = starts if "rdv_response" in booking else ["no booking in 1 requests: nothing usable at", *starts]
        assert len(told) == len(expected)
        for words, begin in zip(told, expected, strict=True):
            assert words.startswith(f"form {FORM}, service identity: {begin}")
        assert "Exemple" not in "".join(told)


def test_a_name_that_nobody_gave_is_no_fault(publik: TestPublik, checked):
    publik.town.book(FORM, "2026-11-25 10:00", first_name="", last_name="")
    findings = checked()
    assert wrong(findings) == []
    assert re.search(
        r"note +form rendez-vous, service identity: a name in 0 of 1 requests$", said(findings), re.MULTILINE
    )


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        (
            {"agenda": "fields.agenda_rdv", "agendas": ("mairies",)},
            (
                "agendas match 0 of 3 requests: none has 'mairies'; they have: mairie; annexe; "
                "does 'mairies' mean 'mairie'?"
            ),
        ),
        ({"meeting_types": ("45",)}, "meeting_types match 0 of 3 requests: none has '45'; they have: 30; 60"),
        (
            {"statuses": ("arrive",)},
            (
                "statuses match 0 of 3 requests: none has 'arrive'; they have: 1, Réservé; 2, Arrivé; "
                "does 'arrive' mean 'Arrivé'?"
            ),
        ),
        (
            {"start": "workflow.data.rdv_response.datetime", "meeting_types": ("30",)},
            "workflow.data.rdv_response.datetime is not a slot, so the meeting type is unknown",
        ),
        (
            {"meeting_types": ("60",), "statuses": ("Arrivé",)},
            "0 of 3 bookings count: each filter matches some, but no request matches them all",
        ),
    ],
)
def test_a_filter_that_fits_nothing_is_wrong_and_what_was_seen_instead_is_told(
    publik: TestPublik, checked, filters, words
):
    publik.town.book(FORM, "2026-11-25 10:00")
    publik.town.book(FORM, "2026-11-25 10:00", agenda="annexe", meeting_type="60")
    publik.town.book(FORM, "2026-11-25 10:00", status="2")
    findings = checked(forms=(form(**filters),))
    assert wrong(findings) == [f"form {FORM}, service identity: {words}"]
    assert "Exemple" not in said(findings)


def test_a_form_that_names_no_status_of_who_cancelled_is_wrong(publik: TestPublik, checked):
    publik.town.book(FORM, "2026-11-25 10:00")
    (told,) = wrong(checked(forms=(form(cancelled_statuses=()),)))
    assert "without cancelled_statuses, visitors who cancelled are still expected: name some" in told
    assert "; the requests have: 1, Réservé" in told
    assert wrong(checked(forms=(form(cancelled_statuses=(), statuses=("Réservé",)),))) == []


def test_a_path_that_finds_the_same_booking_everywhere_is_wrong(publik: TestPublik, checked):
    for _ in range(3):
        publik.town.book(FORM, "2026-11-25 10:00")
    (told,) = wrong(checked(forms=(form(booking="workflow.data.rdv_status"),)))
    assert "only 1 different bookings in 3 requests: check that workflow.data.rdv_status is the booking's id" in told


@pytest.mark.parametrize("code", ["Mairie", "mai-rie"])
def test_a_code_that_all_share_is_wrong_for_the_first_of_them_would_be_checked_in(publik: TestPublik, checked, code):
    for _ in range(2):
        publik.town.book(FORM, "2026-11-25 10:00", code="Mairie")
    publik.town.book(FORM, "2026-11-25 10:00", code=code)
    (told,) = wrong(checked())
    assert told == (
        "form rendez-vous, service identity: the same code in 3 requests: check that fields.code_rdv is "
        "the code on the confirmation"
    )


def test_a_code_that_some_share_is_noted(publik: TestPublik, checked):
    for code in ("M1", "M1", "M2"):
        publik.town.book(FORM, "2026-11-25 10:00", code=code)
    findings = checked()
    assert wrong(findings) == []
    assert "note   form rendez-vous, service identity: only 2 different codes in 3 requests\n" in said(findings)


def test_a_filter_that_fits_in_part_is_noted_and_one_that_fits_is_well(publik: TestPublik, checked):
    publik.town.book(FORM, "2026-11-25 10:00")
    publik.town.book(FORM, "2026-11-25 10:00", meeting_type="60")
    mapping = {"agenda": "fields.agenda_rdv", "agendas": ("mairie", "annexe"), "meeting_types": ("30",)}
    findings = checked(forms=(form(**mapping),))
    assert wrong(findings) == []
    for words in (
        "agendas match 2 of 2 requests: none has 'annexe'; they have: mairie",
        "meeting_types match 1 of 2 requests",
        "1 of 2 bookings count",
    ):
        assert f"form {FORM}, service identity: {words}\n" in said(findings)


def test_a_cancelled_status_that_was_not_seen_is_noted_for_nobody_need_have_cancelled(publik: TestPublik, checked):
    publik.town.book(FORM, "2026-11-25 10:00")
    findings = checked(forms=(form(cancelled_statuses=("Annulée",)),))
    assert wrong(findings) == []
    assert (
        "note   form rendez-vous, service identity: cancelled_statuses match 0 of 1 requests: none has 'Annulée'"
        in said(findings)
    )


def test_a_cancelled_status_that_is_misspelled_is_wrong_since_who_cancelled_would_stay_expected(
    publik: TestPublik, checked
):
    publik.town.cancel(FORM, publik.town.book(FORM, "2026-11-25 10:00").id)
    (told,) = wrong(checked(forms=(form(cancelled_statuses=("Annulée",)),)))
    assert told.endswith("does 'Annulée' mean 'Annulé'?")
    # One that another status beside it fits is only noted: perhaps nobody has reached it yet.
    findings = checked(forms=(form(cancelled_statuses=("Annulé", "Annulée")),))
    assert wrong(findings) == []
    assert "does 'Annulée' mean 'Annulé'?" in said(findings)


@pytest.mark.parametrize("path", ["fields.nom", "fields.prenom", "fields.courriel", "fields.code_rdv"])
@pytest.mark.parametrize("typed", ["Exemple-Inventée", "exemple", "0199005566"])
def test_what_stands_where_no_agenda_is_is_not_shown(publik: TestPublik, checked, path: str, typed: str):
    publik.town.book(FORM, "2026-11-25 10:00", first_name=typed, last_name=typed, code="geheim99")
    findings = checked(forms=(form(agenda=path, agendas=("mairie",)),))
    words = "none has 'mairie'; they have: values that do not look like slugs, so they are not"
    assert f"agendas match 0 of 1 requests: {words}" in said(findings)
    for private in (typed, "geheim", "GEHEIM", "personne"):
        assert private not in said(findings)


def test_statuses_by_which_all_are_cancelled_are_noted(publik: TestPublik, checked):
    for status in ("1", "5"):
        publik.town.book(FORM, "2026-11-25 10:00", status=status)
    words = "note   form rendez-vous, service identity: all requests read are cancelled, so nobody is expected\n"
    assert words not in said(checked())
    findings = checked(forms=(form(cancelled_statuses=("Réservé", "Annulé")),))
    assert wrong(findings) == []
    assert words in said(findings)


def test_how_many_starts_are_to_come_is_told_and_one_as_staff_will_read_it(publik: TestPublik, checked):
    for start in ("2020-11-25 10:00", "2190-06-01 10:00", "2190-01-01 10:00"):
        publik.town.book(FORM, start)
    about = f"form {FORM}, service identity"
    told = said(checked())
    assert f"ok     {about}: 2 of 3 starts are in the future, the last on 2190-06-01 at 10:00, Europe/Paris\n" in told
    told = said(checked(zone="Pacific/Noumea"))
    assert f"ok     {about}: 2 of 3 starts are in the future, the last on 2190-06-01 at 01:00, Europe/Paris\n" in told


def test_a_start_at_which_every_request_was_sent_is_noted(publik: TestPublik, checked):
    publik.town.book(FORM, "2190-06-01 10:00")
    sent = publik.town.local(publik.town.forms[FORM][1].received_ms)
    told = said(checked(forms=(form(start="receipt_time"),)))
    words = f"0 of 1 starts are in the future, the last on {sent:%Y-%m-%d at %H:%M}, Europe/Paris"
    assert f"note   form {FORM}, service identity: {words}\n" in told


def test_requests_of_late_are_looked_at_where_a_list_begins_with_the_oldest(publik: TestPublik, checked):
    publik.town.switches.newest_first = False
    for _ in range(60):
        publik.town.book(FORM, "2025-11-25 10:00", status="3", changed_ms=system_ms() - 100 * 86_400_000)
    publik.town.book(FORM, "2026-11-25 10:00")
    findings = checked(forms=(form(statuses=("Réservé",)),))
    assert wrong(findings) == []
    assert "statuses match 1 of 51 requests" in said(findings)


def test_no_name_in_an_anonymised_list_is_no_fault(publik: TestPublik, checked):
    publik.town.switches.anonymised = True
    publik.town.book(FORM, "2026-11-25 10:00")
    findings = checked(forms=(form(booking="workflow.fields.rdv_id"),))
    assert wrong(findings) == []
    assert "a name in 0 of 1 requests, perhaps because the client sees only anonymised data" in said(findings)


def test_workflow_data_that_an_anonymised_client_does_not_see_are_told(publik: TestPublik, checked):
    publik.town.switches.anonymised = True
    publik.town.book(FORM, "2026-11-25 10:00")
    (told,) = wrong(checked())
    assert "workflow has fields, real_status, status; a client that sees only anonymised data sees no" in told


def test_a_filter_that_publik_no_longer_knows_is_told_in_its_own_words(publik: TestPublik, checked):
    publik.town.book(FORM, "2026-11-25 10:00")
    publik.faults += [Told("slow", times=2), Told("status", status=400)]
    (told,) = wrong(checked())
    assert "answered HTTP 400: something broke" in told


def test_a_chrono_that_lets_no_program_in_is_told(publik: TestPublik, checked):
    publik.town.switches.chrono_closed = True
    (told,) = wrong(checked(chrono=True))
    assert told.startswith("Chrono: ")
    assert told.endswith("ask its host whether outside programs may call it")


@pytest.mark.parametrize("status", [404, 500])
def test_a_chrono_that_breaks_is_not_asked_to_let_programs_in(publik: TestPublik, checked, status):
    publik.faults.append(Told("status", match="/chrono/", status=status, times=None))
    (told,) = wrong(checked(chrono=True))
    assert told.startswith("Chrono: ")
    assert "outside programs may call it" not in told


def test_a_booking_that_was_cancelled_is_not_the_one_that_chrono_is_asked_for(publik: TestPublik, checked):
    for _ in range(2):
        publik.town.book(FORM, "2026-11-25 10:00")
    publik.town.cancel(FORM, 2)
    assert "ok     Chrono: the hub may read a single booking" in said(checked(presence=True))
    publik.town.cancel(FORM, 1)
    assert "note   Chrono: no request has a booking in force to look up" in said(checked(presence=True))


@pytest.mark.parametrize("fault", [{"status": 403}, {"status": 404}, {"status": 500}, {"kind": "err"}])
def test_a_presence_that_could_not_be_marked_is_wrong_for_whatever_reason(publik: TestPublik, checked, fault):
    publik.town.book(FORM, "2026-11-25 10:00")
    publik.faults.append(Told(**{"kind": "status", "match": "/api/booking/", "times": None} | fault))
    assert [each.words for each in checked(chrono=True) if each.level is Level.WRONG] == []
    (told,) = wrong(checked(presence=True))
    assert told.startswith("Chrono: the hub cannot read a single booking: ")


# --- the command --------------------------------------------------------------------------------------------------


@pytest.fixture
def site_file(publik: TestPublik, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example site file with its commented Publik section enabled and pointed at the running one."""
    text = Path(hub.__file__).with_name("example-site.yaml").read_text(encoding="utf-8")
    head, mark, tail = text.partition("  # publik:\n")
    written = head + (mark + tail).replace("\n  # ", "\n  ").replace("  # publik:", "  publik:", 1)
    for name, address in (("demarches", publik.address), ("agendas", f"{publik.address}/chrono")):
        written = written.replace(f"https://{name}.trois-tilleuls.example", address)
    file = tmp_path / "site.yaml"
    file.write_text(written.replace("rendez-vous-identite", FORM), encoding="utf-8")
    key = tmp_path / "key"
    key.write_text(f"{KEY}\n", encoding="utf-8")
    monkeypatch.setenv("SUIVANT_PUBLIK_KEY_FILE", str(key))
    return file


def test_the_examples_publik_is_right(publik: TestPublik, site_file: Path, capsys: pytest.CaptureFixture[str]):
    publik.town.book(FORM, "2026-11-25 10:00")
    assert main(["publik", "check", str(site_file)]) == 0
    told = capsys.readouterr()
    assert f"form {FORM}, service identity: an agenda in 1 of 1 requests" in told.out
    assert told.err == ""


def test_something_wrong_is_status_1(publik: TestPublik, site_file: Path, capsys: pytest.CaptureFixture[str]):
    publik.town.switches.has_role = False
    assert main(["publik", "check", str(site_file)]) == 1
    assert capsys.readouterr().err == "suivant: found 1 problem; docs/publik.md explains what to do\n"


def test_a_key_that_lacks_is_a_wrong_setting(
    site_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.delenv("SUIVANT_PUBLIK_KEY_FILE")
    assert main(["publik", "check", str(site_file)]) == 2
    assert "SUIVANT_PUBLIK_KEY_FILE is not set" in capsys.readouterr().err
    monkeypatch.setenv("SUIVANT_PUBLIK_KEY_FILE", "/nowhere/key")
    assert main(["publik", "check", str(site_file)]) == 2
    sentence = (
        "suivant: SUIVANT_PUBLIK_KEY_FILE is '/nowhere/key': it should be a text file that the hub's user can read"
    )
    assert capsys.readouterr().err == f"{sentence}, but there is no such file\n"


def test_a_site_without_publik_says_where_its_appointments_come_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "site.yaml"
    file.write_text(Path(hub.__file__).with_name("example-site.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    assert main(["publik", "check", str(file)]) == 1
    assert (
        capsys.readouterr().err
        == f"suivant: {file} has no appointments.publik: appointments come from appointments.csv\n"
    )
