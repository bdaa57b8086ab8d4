"""Who can log in, from where and with which account: on a real database, with a directory in memory."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from unicodedata import normalize

import pytest
from structlog.testing import capture_logs

from hub.auth.account_store import LocalAccount, create_account, end_account, read_account
from hub.auth.directory import NoDirectory
from hub.auth.login import ASKED_AT_ONCE, NOBODY, WAITING_MOST, Login
from hub.auth.passwords import hash_password
from hub.auth.people import MAX_ACCOUNT, MAX_PASSWORD, LoginRefused, Person, Reason
from hub.auth.roles import Role
from hub.database.engine import open_engine
from hub.metrics import Metrics
from tests.auth.small_directory import SmallDirectory
from tests.databases import sqlite_url
from tests.hub.standing import eventually

LIMIT_S = 30
NOW_MS = 1_800_000_000_000
SITE = "town-hall"
DESK_PC, ELSEWHERE = "192.0.2.10", "198.51.100.7"
EMERGENCY = "trois tilleuls et un banc"


@pytest.fixture(scope="module")
def emergency_hash():
    return hash_password(EMERGENCY)


@pytest.fixture
def add_local(engine, emergency_hash):
    """Creates a local account, as `suivant admin create` does."""

    def add(account="secours"):
        new = LocalAccount(
            account=account,
            name="Compte de secours",
            password=emergency_hash,
            roles=frozenset({Role.ADMINISTRATOR}),
            created_ms=NOW_MS,
        )
        with engine.execution_options(write=True).begin() as connection:
            assert create_account(connection, SITE, new)

    return add


@pytest.fixture
def directory():
    made = SmallDirectory()
    made.add("b.exemple", "bon mot de passe", Role.AGENT)
    made.add("sans.role", "bon mot de passe")
    return made


@pytest.fixture
def metrics():
    return Metrics("test")


@pytest.fixture
def new_login(engine, metrics):
    def make(directory):
        def local(account):
            with engine.connect() as connection:
                return read_account(connection, SITE, account)

        return Login(directory=directory, local=local, now_ms=lambda: NOW_MS, metrics=metrics)

    return make


@pytest.fixture
def login(new_login, directory):
    return new_login(directory)


@pytest.fixture
def small_login(directory, tmp_path, metrics):
    """A login for tests in which the database does not matter: on SQLite only, without local accounts."""
    engine = open_engine(sqlite_url(tmp_path))

    def local(account):
        with engine.connect() as connection:
            return read_account(connection, SITE, account)

    yield Login(directory=directory, local=local, now_ms=lambda: NOW_MS, metrics=metrics)
    engine.dispose()


def reason(login, account, password, address=DESK_PC):
    """The reason for which the login is refused."""
    with pytest.raises(LoginRefused) as refused:
        login.log_in(account, password, address)
    return refused.value.reason


def counted(metrics, result):
    line = f'suivant_logins_total{{result="{result}"}} '
    return next(float(each[len(line) :]) for each in metrics.text().decode().splitlines() if each.startswith(line))


def test_somebody_of_the_directory_comes_in_under_the_one_spelling_of_their_account(small_login, directory, metrics):
    person = small_login.log_in("  B.Exemple", "bon mot de passe", DESK_PC)
    assert person == directory.people["b.exemple"]
    small_login.admitted(person)
    assert counted(metrics, "directory") == 1


def test_an_accent_of_a_local_account_counts_alike_however_a_keyboard_writes_it(login, add_local):
    """If the accent written as two characters did not match, the password would be sent to the directory."""
    add_local("hélène")
    assert login.log_in(normalize("NFD", "Hélène"), EMERGENCY, DESK_PC).local


@pytest.mark.parametrize(
    ("account", "password", "expected"),
    [
        ("b.exemple", "mauvais", Reason.WRONG),
        ("personne", "bon mot de passe", Reason.WRONG),
        ("sans.role", "bon mot de passe", Reason.NO_ROLE),
    ],
)
def test_who_is_not_let_in_is_counted_by_its_reason(small_login, metrics, account, password, expected):
    assert reason(small_login, account, password) is expected
    assert counted(metrics, expected) == 1


@pytest.mark.parametrize(
    ("account", "password"),
    [
        ("b.exemple", ""),
        ("", "bon mot de passe"),
        ("   ", "bon mot de passe"),
        ("b" * (MAX_ACCOUNT + 1), "bon mot de passe"),
        ("b.exemple", "b" * (MAX_PASSWORD + 1)),
        ("b.exemple\0", "bon mot de passe"),
        ("b.exemple", "bon\0mot de passe"),
        ("b.exemple", "\ud800"),
    ],
)
def test_what_can_be_no_account_or_password_asks_nobody(small_login, directory, account, password):
    assert reason(small_login, account, password) is Reason.WRONG
    assert directory.asked == []


def test_a_local_account_comes_in_while_the_directory_is_away(login, directory, add_local, metrics):
    add_local()
    directory.away = True
    expected = Person(account="secours", name="Compte de secours", roles=frozenset({Role.ADMINISTRATOR}), local=True)
    assert login.log_in("secours", EMERGENCY, DESK_PC) == expected
    login.admitted(expected)
    assert reason(login, "b.exemple", "bon mot de passe") is Reason.AWAY
    assert (counted(metrics, "local"), counted(metrics, "away")) == (1, 1)


def test_nobody_of_the_directory_comes_in_by_the_name_of_a_local_account(login, directory, add_local):
    add_local("b.exemple")
    assert reason(login, "b.exemple", "bon mot de passe") is Reason.WRONG
    assert login.log_in("b.exemple", EMERGENCY, DESK_PC).local
    assert "b.exemple" not in directory.asked


def test_the_wrong_password_of_a_local_account_costs_a_question_too(login, directory, add_local):
    """Otherwise the time that a refusal takes would reveal which local accounts exist."""
    add_local()
    assert reason(login, "secours", "mauvais") is Reason.WRONG
    assert directory.asked == [NOBODY]
    directory.away = True
    assert reason(login, "secours", "mauvais") is Reason.WRONG


def test_a_local_account_that_was_ended_decides_no_more(login, engine, directory, add_local):
    add_local("b.exemple")
    with engine.execution_options(write=True).begin() as connection:
        end_account(connection, SITE, "b.exemple", NOW_MS)
    assert reason(login, "b.exemple", EMERGENCY) is Reason.WRONG
    assert login.log_in("b.exemple", "bon mot de passe", DESK_PC) == directory.people["b.exemple"]


def test_a_site_without_a_directory_has_local_accounts_alone(new_login, add_local):
    add_local()
    login = new_login(NoDirectory())
    assert login.log_in("secours", EMERGENCY, DESK_PC).local
    assert reason(login, "b.exemple", "bon mot de passe") is Reason.WRONG


def test_an_unknown_account_takes_the_time_of_a_password_too(small_login, monkeypatch):
    from hub.auth import login as module

    compared = []
    real = module.matches
    monkeypatch.setattr(module, "matches", lambda stored, text: compared.append(stored) or real(stored, text))
    reason(small_login, "personne", "mauvais")
    assert compared == [None]


def test_the_sixth_wrong_password_is_not_even_tried(small_login, directory):
    reasons = [reason(small_login, "b.exemple", "mauvais") for _ in range(6)]
    assert reasons == [Reason.WRONG] * 5 + [Reason.TOO_MANY]
    assert len(directory.asked) == 5
    assert reason(small_login, "b.exemple", "bon mot de passe") is Reason.TOO_MANY


def test_the_right_password_of_somebody_without_a_role_is_a_failed_try(small_login):
    """Otherwise somebody who guesses would learn that the password is right."""
    reasons = [reason(small_login, "sans.role", "bon mot de passe") for _ in range(6)]
    assert reasons == [Reason.NO_ROLE] * 5 + [Reason.TOO_MANY]


def test_tries_while_the_directory_is_away_do_not_count(small_login, directory):
    directory.away = True
    assert [reason(small_login, "b.exemple", "bon mot de passe") for _ in range(8)] == [Reason.AWAY] * 8
    directory.away = False
    assert small_login.log_in("b.exemple", "bon mot de passe", DESK_PC)


def test_a_database_that_is_away_is_told_as_such_and_is_no_failed_try(directory, metrics):
    def away(_):
        raise OSError("the database is away")

    login = Login(directory=directory, local=away, now_ms=lambda: NOW_MS, metrics=metrics)
    for _ in range(8):
        with pytest.raises(OSError, match="away"):
            login.log_in("b.exemple", "bon mot de passe", DESK_PC)


def test_neither_account_nor_password_nor_address_is_logged(small_login):
    with capture_logs() as logs:
        small_login.admitted(small_login.log_in("b.exemple", "bon mot de passe", DESK_PC))
        reason(small_login, "b.exemple", "mauvais")
    assert [each["event"] for each in logs] == ["login.done", "login.refused"]
    for secret in ("exemple", "Basile", "mot de passe", "mauvais", DESK_PC):
        assert secret not in repr(logs)


@pytest.fixture
def pool(directory):
    """Threads like those of the pages; at the end the directory answers, so that none is left waiting."""
    with ThreadPoolExecutor(ASKED_AT_ONCE + WAITING_MOST + 8) as made:
        yield made
        directory.answering.set()


def test_a_whole_house_comes_in_at_once_from_one_address(new_login, directory, add_local, pool, monkeypatch):
    monkeypatch.setattr("hub.auth.login.HASH_WAIT_S", LIMIT_S)
    login = new_login(directory)
    accounts = [f"guichet-{number}" for number in range(12)]
    for account in accounts:
        add_local(account)
    coming = [pool.submit(login.log_in, account, EMERGENCY, DESK_PC) for account in accounts]
    assert [each.result(LIMIT_S).account for each in coming] == accounts


def hang(login, directory, pool):
    """Let the directory hang, with as many logins from elsewhere as may ask it at once."""
    directory.answering.clear()
    hanging = []
    for number in range(ASKED_AT_ONCE):
        hanging.append(pool.submit(login.log_in, f"inconnu-{number}", "mauvais", f"203.0.113.{number}"))
        eventually(lambda account=f"inconnu-{number}": account in directory.asked)
    return hanging


def test_a_directory_that_hangs_keeps_neither_local_accounts_nor_known_people_waiting(
    login, directory, add_local, pool
):
    add_local()
    login.log_in("b.exemple", "bon mot de passe", DESK_PC)
    directory.asked.clear()
    hang(login, directory, pool)
    assert login.log_in("secours", EMERGENCY, ELSEWHERE).local
    mine = pool.submit(login.log_in, "b.exemple", "bon mot de passe", DESK_PC)
    # The directory is asked at once, although logins of four unknown people hang.
    eventually(lambda: "b.exemple" in directory.asked)
    directory.answering.set()
    assert mine.result(LIMIT_S) == directory.people["b.exemple"]


def test_who_would_wait_behind_too_many_is_soon_told_that_the_directory_does_not_answer(small_login, directory, pool):
    hanging = hang(small_login, directory, pool)
    others = [pool.submit(reason, small_login, f"autre-{n}", "mauvais", f"198.51.100.{n}") for n in range(16)]
    assert {each.result(LIMIT_S) for each in others} == {Reason.AWAY}
    assert len(directory.asked) == ASKED_AT_ONCE
    directory.answering.set()
    # After the refusal they take turns at the password hash; here nobody waits long for a turn.
    assert Reason.WRONG in {each.exception(LIMIT_S).reason for each in hanging} <= {Reason.WRONG, Reason.TOO_MANY}


def test_those_who_were_told_to_wait_have_not_failed(small_login, directory, pool):
    hang(small_login, directory, pool)
    ask = partial(small_login.log_in, "b.exemple", "bon mot de passe", DESK_PC)
    waiting = [pool.submit(ask) for _ in range(5)]
    assert {each.exception(LIMIT_S).reason for each in waiting} == {Reason.AWAY}
    directory.answering.set()
    assert ask() == directory.people["b.exemple"]


def test_a_password_that_the_directory_refused_counts_though_too_many_wait_for_a_turn(
    new_login, directory, pool, monkeypatch
):
    """Otherwise somebody who asks fast enough could try any number of passwords."""
    from hub.auth import login as module

    hashing, may_end = threading.Event(), threading.Event()

    def matches(_stored, _text):
        hashing.set()
        return not may_end.wait(LIMIT_S)

    monkeypatch.setattr(module, "matches", matches)
    monkeypatch.setattr(module, "WAITING_MOST", 0)
    login = new_login(directory)
    pool.submit(reason, login, "inconnu", "mauvais", ELSEWHERE)
    assert hashing.wait(LIMIT_S)
    try:
        assert {reason(login, "b.exemple", "mauvais") for _ in range(8)} == {Reason.TOO_MANY}
    finally:
        may_end.set()
    assert directory.asked.count("b.exemple") == 5
