"""The book of open sessions: who is logged in, until when, and who is told of a session's end."""

import threading

import pytest
from msgspec.structs import replace

from hub.auth.people import Person
from hub.auth.roles import Role
from hub.auth.sessions import Limits, Session, SessionBook, hash_token, new_token
from hub.site import Login

MINUTE, HOUR = 60_000, 3_600_000
MORNING = 1_800_000_000_000
LIMITS = Limits.of(Login())
AGENT = Person(account="b.exemple", name="Basile Exemple", roles=frozenset({Role.AGENT, Role.SUPERVISOR}))


def a_session(number=1, *, token=None, person=AGENT, opened_ms=MORNING):
    return Session(
        id=number,
        token_hash=hash_token(token or f"token-{number}"),
        person=person,
        opened_ms=opened_ms,
        seen_ms=opened_ms,
        checked_ms=opened_ms,
    )


def demoted(session):
    return replace(session, person=replace(session.person, roles=frozenset({Role.AGENT})))


@pytest.fixture
def told():
    """The ids of sessions whose end was reported, in order."""
    return []


@pytest.fixture
def book(told):
    made = SessionBook(LIMITS)
    made.on_end(lambda ids: told.append(set(ids)))
    return made


def test_a_session_is_found_by_its_token_alone(book):
    session = a_session(token="made-up")
    book.add(session)
    assert book.find("made-up", MORNING) == session
    assert book.find(session.token_hash, MORNING) is None
    assert book.find("", MORNING) is None
    assert book.find("\udcff", MORNING) is None


def test_a_token_has_256_bits_and_only_its_hash_is_kept(book):
    token = new_token()
    assert len(token) == 43
    assert token != new_token()
    book.add(a_session(token=token))
    assert token not in repr(vars(book))


def test_a_session_ends_an_hour_after_the_last_request(book):
    book.add(a_session())
    assert book.find("token-1", MORNING + 59 * MINUTE)
    assert book.find("token-1", MORNING + 118 * MINUTE)
    assert book.find("token-1", MORNING + 178 * MINUTE) is None
    assert book.over(MORNING + 178 * MINUTE) == [(a_session(), "idle")]


def test_a_page_that_only_listens_does_not_keep_its_session(book):
    book.add(a_session())
    assert book.stands(1) == a_session()
    assert book.find("token-1", MORNING + HOUR) is None


def test_a_session_ends_after_its_longest_time_however_busy_it_is(book):
    book.add(a_session())
    for minute in range(0, 600, 30):
        assert book.find("token-1", MORNING + minute * MINUTE)
    assert book.find("token-1", MORNING + 600 * MINUTE) is None
    assert book.over(MORNING + 600 * MINUTE) == [(a_session(), "absolute")]


def test_what_was_seen_is_told_until_the_database_says_so_too(book):
    book.add(a_session())
    assert book.seen() == {}
    book.find("token-1", MORNING + MINUTE)
    assert book.seen() == book.seen() == {1: MORNING + MINUTE}
    book.keep(lambda: [replace(a_session(), seen_ms=MORNING + MINUTE)])
    assert book.seen() == {}


def test_a_request_before_the_last_reading_still_counts(book):
    book.add(a_session())
    book.find("token-1", MORNING + 50 * MINUTE)
    book.keep(lambda: [a_session()])
    assert book.find("token-1", MORNING + 100 * MINUTE)


def test_a_session_that_ended_in_the_database_is_dropped_and_told_once(book, told):
    book.keep(lambda: [a_session(1), a_session(2)])
    assert book.keep(lambda: [a_session(2)]) == {1}
    assert book.keep(lambda: [a_session(2)]) == set()
    assert told == [{1}]
    assert book.find("token-1", MORNING) is None
    assert book.find("token-2", MORNING)


def test_a_session_that_opens_while_the_database_is_read_stays(book, told):
    def read():
        book.add(a_session(2))
        return [a_session(1)]

    assert book.keep(read) == set()
    assert book.find("token-2", MORNING)
    assert told == []


def test_a_session_that_ends_while_the_database_is_read_does_not_come_back(book, told):
    book.add(a_session(1))

    def read():
        book.drop(1)
        return [a_session(1)]

    assert book.keep(read) == set()
    assert book.find("token-1", MORNING) is None
    assert told == [{1}]


def test_a_reading_that_fails_leaves_everybody_in(book, told):
    book.add(a_session())
    with pytest.raises(OSError, match="away"):
        book.keep(_away)
    assert book.find("token-1", MORNING)
    assert told == []


def _away():
    raise OSError("the database is away")


def test_who_may_do_less_or_more_is_told_and_who_may_do_the_same_is_not(book, told):
    book.keep(lambda: [a_session()])
    book.keep(lambda: [demoted(a_session())])
    assert told == [{1}]
    assert book.find("token-1", MORNING).person.roles == {Role.AGENT}
    book.keep(lambda: [a_session()])
    assert told == [{1}, {1}]
    book.keep(lambda: [a_session()])
    assert told == [{1}, {1}]


def test_dropping_a_session_that_is_not_there_tells_nobody(book, told):
    book.drop(7)
    assert told == []


def test_one_who_cannot_be_told_does_not_keep_others_from_it():
    book = SessionBook(LIMITS)
    told = []
    book.on_end(lambda _: _away())
    book.on_end(told.append)
    book.add(a_session())
    book.drop(1)
    assert told == [{1}]


def test_those_due_to_be_checked_are_the_longest_unchecked_first(book):
    book.add(replace(a_session(1), checked_ms=MORNING + MINUTE))
    book.add(a_session(2))
    book.add(replace(a_session(3), checked_ms=MORNING + 2 * MINUTE))
    assert [each.id for each in book.due(MORNING + 16 * MINUTE)] == [2, 1]


def test_a_person_has_a_session_in_each_browser(book):
    other = replace(AGENT, account="c.exemple")
    for session in (a_session(1), a_session(2, person=replace(AGENT, local=True)), a_session(3, person=other)):
        book.add(session)
    book.add(a_session(4))
    assert [each.id for each in book.of("b.exemple", local=False)] == [1, 4]
    assert book.open_count == 4


def test_nothing_is_kept_of_a_session_that_is_gone(book):
    for number in range(100):
        book.add(a_session(number))
        book.find(f"token-{number}", MORNING)
        book.drop(number)
    book.keep(list)
    assert (book.open_count, book._seen, book._dropped) == (0, {}, set())


def test_finding_never_stumbles_over_those_who_write(book):
    """Readers take no lock: each sees the book either before a change or after it."""
    book.add(a_session(1))
    stop = threading.Event()
    lost = []

    def read():
        while not stop.is_set():
            if book.find("token-1", MORNING) is None:
                lost.append(True)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for each in readers:
        each.start()
    for number in range(2, 300):
        book.add(a_session(number))
        book.find(f"token-{number}", MORNING)
        book.keep(lambda: [a_session(1)])
        book.seen()
    stop.set()
    for each in readers:
        each.join()
    assert lost == []
