"""Check-in at a dispenser: every answer a visitor can get, over a real broker, on a Tuesday at ten."""

import time
from itertools import count

import pytest
import zxingcpp
from msgspec.structs import replace
from PIL import Image

from hub.clock import Clock
from hub.mqtt.quotas import TICKETS_MOST, TICKETS_WITHIN_MS, UNKNOWN_MOST, UNKNOWN_WITHIN_MS, Quota
from hub.queue.commands import tickets
from hub.queue.requests import Book, CancelBooking, Finish, MarkAbsent, Next, Origin, Source
from hub.site import MINUTE_MS, Node
from protocol.messages import Arrival, CheckIn, CheckInReply, IssueTicket, Refused, Role, TicketReply
from tests.databases import sqlite_url
from tests.hub.standing import NODES, a_town, eventually, new_id, node, standing
from tests.queue.harness import TUESDAY_AT_TEN, moment
from tests.ticket_printer.keyboard import Scanner, scan
from tests.ticket_printer.program import Program

DAY_MS = 24 * 60 * MINUTE_MS
UPSTAIRS = Node(name="printer-2", role=Role.TICKET_PRINTER, hall="floor", pins={"social": 5})
_codes = count(1)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A hub whose clock runs from ten o'clock, with one dispenser in the hall and one upstairs."""
    started_ns = time.monotonic_ns()
    clock = Clock(lambda: TUESDAY_AT_TEN * 1_000_000 + time.monotonic_ns() - started_ns)
    folder = tmp_path_factory.mktemp("town-hall")
    here = (replace(each, hall="hall") if each.name == "printer-1" else each for each in NODES)
    with standing(
        sqlite_url(folder),
        folder,
        replace(a_town(), nodes=(*here, UPSTAIRS), follow_url="https://file.invalid/t/"),
        clock,
    ) as made:
        made.open("desk-1", "desk-3")
        yield made


@pytest.fixture
def printer(hub):
    with node(hub, "printer-1") as made:
        # Forget the wrong codes and the tickets of earlier tests.
        requests = hub.hub.broker._requests
        requests._guesses = Quota(UNKNOWN_MOST, UNKNOWN_WITHIN_MS)
        requests._tickets = Quota(TICKETS_MOST, TICKETS_WITHIN_MS)
        yield made


def book(hub, at_ms, service="civil"):
    """Book an appointment; return the booking's name, which is also its code."""
    name = f"booking-{next(_codes)}"
    hub.take(
        Book(
            booking=name,
            reference=f"form/{name}",
            service=service,
            appointment_ms=at_ms,
            confirmation=name.replace("-", "").upper(),
            code=f"follow-{name}",
            name="Zoé Exemple-Inventée",
        )
    )
    return name


def at(hub, minutes):
    return hub.clock.now_ms() + minutes * MINUTE_MS


def check_in(printer, code):
    reply = printer.ask(CheckIn(id=new_id(), code=code))
    assert isinstance(reply, CheckInReply), reply
    return reply


def by_page(hub, kind, desk="desk-1", shown=None):
    return hub.do(kind(origin=Origin(Source.PAGE, "agent-1", new_id()), desk=desk, shown=shown))


def called(hub, desk="desk-1"):
    """Call the next ticket at the desk; return its id."""
    answer = by_page(hub, Next, desk)
    return answer.ticket


@pytest.mark.parametrize(
    ("minutes", "arrival"),
    [(60, Arrival.EARLY), (5, Arrival.ON_TIME), (-2, Arrival.LATE), (-30, Arrival.MISSED)],
)
def test_who_comes_today_gets_a_number(hub, printer, minutes, arrival):
    moment_ms = at(hub, minutes)
    code = book(hub, moment_ms)
    reply = check_in(printer, code)
    assert (reply.arrival, reply.appointment_at, reply.service_name) == (arrival, moment_ms, "État civil")
    assert reply.number.startswith("A")
    assert reply.code == f"follow-{code}"
    assert abs(reply.issued_at - hub.clock.now_ms()) < 30_000
    assert (reply.hall, reply.desk) == (None, None)


def test_who_scans_once_more_gets_the_same_number(hub, printer):
    code = book(hub, at(hub, 30))
    first = check_in(printer, code)
    again = check_in(printer, code.upper())
    assert (again.arrival, again.number, again.code) == (Arrival.AGAIN, first.number, first.code)


def test_a_request_that_is_delivered_twice_has_one_answer(hub, printer):
    request = CheckIn(id=new_id(), code=book(hub, at(hub, 30)))
    assert printer.ask(request) == printer.ask(request)


def test_who_is_to_wait_upstairs_reads_it_below_and_not_upstairs(hub, printer):
    code = book(hub, at(hub, 30), "social")
    assert check_in(printer, code).hall == "Étage"
    with node(hub, UPSTAIRS.name) as upstairs:
        assert check_in(upstairs, code).hall is None


def test_who_is_called_reads_where(hub, printer):
    code = book(hub, at(hub, 0), "social")
    check_in(printer, code)
    ticket = called(hub, "desk-3")
    below = check_in(printer, code)
    with node(hub, UPSTAIRS.name) as upstairs:
        above = check_in(upstairs, code)
    by_page(hub, Finish, "desk-3", ticket)
    assert (below.arrival, below.desk, below.hall) == (Arrival.CALLED, "3", "1er étage")
    assert (above.arrival, above.desk, above.hall) == (Arrival.CALLED, "3", None)


def test_who_was_called_and_did_not_come_gets_no_number(hub, printer):
    code = book(hub, at(hub, 0), "social")
    check_in(printer, code)
    by_page(hub, MarkAbsent, "desk-3", called(hub, "desk-3"))
    reply = check_in(printer, code)
    assert (reply.arrival, reply.number, reply.service_name) == (Arrival.ABSENT, None, "Social")


def test_who_was_served_reads_that_it_is_over(hub, printer):
    code = book(hub, at(hub, 0), "social")
    check_in(printer, code)
    by_page(hub, Finish, "desk-3", called(hub, "desk-3"))
    reply = check_in(printer, code)
    assert (reply.arrival, reply.number, reply.code) == (Arrival.ENDED, None, None)


def test_who_comes_on_the_wrong_day_reads_the_right_one(hub, printer):
    moment_ms = moment("2026-11-27 15:00")
    reply = check_in(printer, book(hub, moment_ms))
    assert (reply.arrival, reply.appointment_at, reply.number) == (Arrival.WRONG_DAY, moment_ms, None)


def test_who_cancelled_gets_no_number(hub, printer):
    code = book(hub, at(hub, 30))
    hub.take(CancelBooking(booking=code))
    reply = check_in(printer, code)
    assert (reply.arrival, reply.number) == (Arrival.CANCELLED, None)


def test_an_unknown_code_is_told_nothing_else(printer):
    request = CheckIn(id=new_id(), code="NOBODYS1")
    assert printer.ask(request) == CheckInReply(id=request.id, arrival=Arrival.UNKNOWN)


@pytest.mark.parametrize(
    "code",
    ["/", " \t ", "-" * 300, "9" * 300, "'; drop table ticket; --", "\u0000", "\u202eEVIL", "😀" * 100, "ß" * 300, "%"],
)
def test_an_absurd_code_is_a_code_of_nobody(hub, printer, code):
    assert check_in(printer, code).arrival is Arrival.UNKNOWN


@pytest.mark.parametrize("code", ["", "x" * 301])
def test_a_code_that_is_none_is_refused(printer, code):
    request = CheckIn(id=new_id(), code=code)
    assert printer.ask(request).code == "bad_message"


def test_a_code_beyond_all_bounds_is_counted_and_stops_nothing(hub, printer):
    oversized = 'suivant_bad_messages_total{reason="oversized"}'
    before = hub.metric(oversized)
    printer.request(CheckIn(id=new_id(), code="x" * 20_000))
    eventually(lambda: hub.metric(oversized) == before + 1)
    assert check_in(printer, "NOBODYS1").arrival is Arrival.UNKNOWN


@pytest.mark.parametrize("sender", ["button-1", "screen-1"])
def test_no_other_node_checks_anybody_in(hub, printer, sender):
    code = book(hub, at(hub, 30))
    with node(hub, sender) as stranger:
        request = CheckIn(id=new_id(), code=code)
        reply = stranger.ask(request)
    assert (reply.id, reply.code) == (request.id, "wrong_role")
    assert check_in(printer, code).arrival is Arrival.EARLY


# --- from the scanner to the paper ---


def test_a_confirmation_before_the_scanner_becomes_a_ticket_and_a_desk_calls_it(hub, tmp_path):
    code = book(hub, at(hub, 3), "taxes")
    scanner = Scanner(tmp_path / "event-kbd")
    scanner.plug_in()
    who = {"SUIVANT_NODE": "printer-1", "SUIVANT_SITE": hub.site.name, "SUIVANT_SCANNERS": str(scanner.path)}
    program = Program(hub.broker, tmp_path / "node", **who)
    try:
        eventually(lambda: "hub.heard" in program.log())
        scanner.send(scan(code.upper().replace("-", "")))
        program.wait_paper("000001.png")
        scanner.send(scan("NOBODYS1"))
        program.wait_paper("000002.png")
        with Image.open(program.papers[0]) as paper:
            [read] = zxingcpp.read_barcodes(paper.convert("L"))
        assert read.text == f"{hub.site.follow_url}follow-{code}"
    finally:
        assert program.stop() == 0
        scanner.unplug()
    ticket = called(hub, "desk-3")
    assert by_page(hub, Finish, "desk-3", ticket).ticket == ticket


# --- guessing ---


def test_who_tries_codes_is_refused_before_finding_one(hub, printer):
    guessing = 'suivant_bad_messages_total{reason="guessing"}'
    before = hub.metric(guessing)
    code = book(hub, at(hub, 30))
    for number in range(UNKNOWN_MOST):
        assert check_in(printer, f"GUESS{number}").arrival is Arrival.UNKNOWN
    request = CheckIn(id=new_id(), code=code)
    reply = printer.ask(request)
    assert isinstance(reply, Refused)
    assert (reply.id, reply.code) == (request.id, "too_many_codes")
    assert hub.metric(guessing) == before + 1
    with node(hub, UPSTAIRS.name) as upstairs:
        assert check_in(upstairs, code).arrival is Arrival.EARLY


def test_a_dispenser_that_is_refused_codes_still_gives_tickets(printer):
    for number in range(UNKNOWN_MOST + 1):
        printer.ask(CheckIn(id=new_id(), code=f"GUESS{number}"))
    assert printer.ticket("civil").number.startswith("A")


def test_a_flood_of_guesses_finds_nobody(hub, printer):
    code = book(hub, at(hub, 30))
    for number in range(5 * UNKNOWN_MOST):
        printer.request(CheckIn(id=new_id(), code=f"GUESS{number}"))
    printer.request(CheckIn(id=new_id(), code=code))
    replies = [printer.reply() for _ in range(5 * UNKNOWN_MOST + 1)]
    assert sum(isinstance(reply, CheckInReply) for reply in replies) == UNKNOWN_MOST
    assert isinstance(replies[-1], Refused)


def test_who_is_found_and_refused_all_the_same_has_not_guessed(hub, printer, monkeypatch):
    printer.ticket("papers")
    code = book(hub, at(hub, 30), "papers")
    with monkeypatch.context() as patch:
        patch.setattr(tickets, "LAST_NUMBER", 0)
        for _ in range(UNKNOWN_MOST):
            reply = printer.ask(CheckIn(id=new_id(), code=code))
            assert isinstance(reply, Refused)
            assert reply.code == "numbers_used_up"
    assert check_in(printer, code).arrival is Arrival.EARLY


def test_visitors_who_are_found_are_no_guesses():
    guesses = Quota(UNKNOWN_MOST, UNKNOWN_WITHIN_MS)
    for number in range(10 * UNKNOWN_MOST):
        assert guesses.may_ask("printer-1", str(number), number)
        guesses.clear("printer-1", str(number))


def test_a_request_that_is_sent_again_is_one_guess():
    guesses = Quota(UNKNOWN_MOST, UNKNOWN_WITHIN_MS)
    for _ in range(3 * UNKNOWN_MOST):
        assert guesses.may_ask("printer-1", "the same", 0)
    assert guesses.may_ask("printer-1", "another", 0)


def test_guesses_are_forgotten_after_their_time_one_by_one():
    guesses = Quota(UNKNOWN_MOST, UNKNOWN_WITHIN_MS)
    for number in range(UNKNOWN_MOST):
        assert guesses.may_ask("printer-1", str(number), number)
    assert not guesses.may_ask("printer-1", "next", UNKNOWN_WITHIN_MS - 1)
    assert guesses.may_ask("printer-1", "next", UNKNOWN_WITHIN_MS)
    assert not guesses.may_ask("printer-1", "one more", UNKNOWN_WITHIN_MS)
    assert guesses.may_ask("printer-1", "one more", UNKNOWN_WITHIN_MS + 1)


# --- tickets ---


def test_a_dispenser_that_asks_without_end_leaves_reception_numbers(hub, printer, monkeypatch):
    monkeypatch.setattr(tickets, "LAST_NUMBER", TICKETS_MOST + 50)
    before = hub.metric('suivant_bad_messages_total{reason="too_many"}')
    for _ in range(TICKETS_MOST + 200):
        printer.request(IssueTicket(id=new_id(), service="papers"))
    replies = [printer.reply() for _ in range(TICKETS_MOST + 200)]
    refused = [reply.code for reply in replies if isinstance(reply, Refused)]
    assert refused == ["too_many_tickets"] * 200
    assert hub.metric('suivant_bad_messages_total{reason="too_many"}') == before + 200
    with node(hub, UPSTAIRS.name) as upstairs:
        assert isinstance(upstairs.ticket("papers"), TicketReply)


def test_tickets_that_the_hub_refuses_and_repeats_are_not_counted(hub, printer, monkeypatch):
    printer.ticket("social")
    with monkeypatch.context() as patch:
        patch.setattr(tickets, "LAST_NUMBER", 0)
        for _ in range(TICKETS_MOST):
            assert printer.ticket("social").code == "numbers_used_up"
    again = IssueTicket(id=new_id(), service="social")
    assert len({repr(printer.ask(again)) for _ in range(TICKETS_MOST)}) == 1
    assert isinstance(printer.ticket("social"), TicketReply)


# --- where a dispenser stands ---


def test_a_dispenser_stands_where_all_wait_unless_the_site_file_names_another_hall():
    """A second hall where nobody waits, such as one that only has desks, makes no ambiguity."""
    site, printer = a_town(), next(each for each in NODES if each.role is Role.TICKET_PRINTER)
    all_in_one = replace(site, services=tuple(replace(each, hall="hall") for each in site.services))
    assert len(all_in_one.halls) == 2
    assert all_in_one.hall_of_node(printer) == "hall"
    assert site.hall_of_node(printer) is None
    assert site.hall_of_node(UPSTAIRS) == all_in_one.hall_of_node(UPSTAIRS) == "floor"
