"""The hub asks the directory again about people who are logged in: an answer can take a right, silence cannot."""

import threading
import time

import pytest
from ldap3 import MODIFY_DELETE
from msgspec.structs import replace
from structlog.testing import capture_logs

from hub.auth.keeper import Keeper
from hub.auth.people import Person
from hub.auth.recheck import ACCOUNTS_AT_ONCE, Recheck
from hub.auth.roles import Role
from hub.queue.people_requests import EndSession
from tests.auth.at_work import LIMIT_S
from tests.auth.slapd import PASSWORD, group, person_dn
from tests.auth.small_directory import SmallDirectory

MINUTE = 60_000
LOCAL = Person(account="secours", name="Compte de secours", roles=frozenset({Role.ADMINISTRATOR}), local=True)


@pytest.fixture
def directory():
    return SmallDirectory()


@pytest.fixture
def locals_():
    """The local accounts that have not been ended."""
    return {LOCAL.account: LOCAL}


@pytest.fixture
def recheck(work, directory, locals_):
    return made(work, directory, locals_)


def made(work, directory, locals_):
    return Recheck(
        directory=directory,
        local=locals_.get,
        book=work.book,
        do=work.put,
        now_ms=lambda: work.now_ms,
        metrics=work.metrics,
        chance=lambda: 1.0,
    )


@pytest.fixture
def person(directory):
    return directory.add("b.exemple", "bon mot de passe", Role.AGENT, Role.SUPERVISOR)


def keep(work):
    """Do what the keeper does each second."""
    Keeper(work.engine, work.site.name, work.book, work.put, lambda: work.now_ms).look()


def looked_up(work, outcome):
    line = f'suivant_directory_lookups_total{{outcome="{outcome}"}} '
    return sum(float(each[len(line) :]) for each in work.metrics.text().decode().splitlines() if each.startswith(line))


def test_nobody_is_asked_about_before_a_quarter_of_an_hour(work, directory, person, recheck):
    work.log_in(person)
    work.now_ms += 15 * MINUTE - 1
    recheck.look()
    assert directory.asked == []
    work.now_ms += 1
    recheck.look()
    assert directory.asked == [person.account]


def test_who_is_still_the_same_is_noted_as_checked_and_asked_about_once(work, directory, person, recheck):
    session = work.log_in(person)
    work.now_ms += 15 * MINUTE
    recheck.look()
    assert work.row(session).checked_ms == work.now_ms
    recheck.look()
    keep(work)
    recheck.look()
    assert directory.asked == [person.account]
    assert work.told == []
    assert looked_up(work, "known") == 1


def test_a_role_that_was_taken_is_taken_here_too(work, directory, person, recheck):
    session = work.log_in(person)
    directory.people[person.account] = changed = replace(person, roles=frozenset({Role.AGENT}), name="Basile Nouveau")
    work.now_ms += 15 * MINUTE
    recheck.look()
    keep(work)
    assert work.book.find("token", work.now_ms).person == changed
    assert work.told == [{session}]


def test_who_is_no_longer_there_is_out_and_leaves_the_desk(work, directory, person, recheck):
    session = work.log_in(person)
    work.sign_on(person, "desk-1")
    del directory.people[person.account]
    work.now_ms += 15 * MINUTE
    recheck.look()
    keep(work)
    assert work.why_ended(session) == "right_taken"
    assert work.signed_on("desk-1") is None
    assert work.told == [{session}]
    assert looked_up(work, "gone") == 1


def test_a_role_whose_group_is_not_shown_stays_with_the_session_that_has_it(work, directory, person, recheck):
    old = work.log_in(person, "old")
    new = work.log_in(replace(person, roles=frozenset({Role.AGENT})), "new")
    directory.people[person.account] = replace(person, roles=frozenset({Role.AGENT}))
    directory.unsure_of.add(Role.SUPERVISOR)
    work.now_ms += 15 * MINUTE
    with capture_logs() as logs:
        recheck.look()
    assert work.row(old).person.roles == person.roles
    assert work.row(new).person.roles == {Role.AGENT}
    assert logs == []


def test_who_stands_in_a_group_that_is_renamed_stays_at_their_desk(work, locals_, own_slapd, opened):
    real = opened(own_slapd)
    recheck = made(work, real, locals_)
    person = real.log_in("alix", PASSWORD)
    session = work.log_in(person)
    work.sign_on(person, "desk-1")
    with capture_logs() as logs, own_slapd.administrator() as administrator:
        administrator.modify_dn(group("agents"), "cn=guichets")
        for _round in range(2):
            work.now_ms += 15 * MINUTE
            recheck.look()
            keep(work)
        assert (work.why_ended(session), work.signed_on("desk-1")) == (None, person.account)
        assert [(each["event"], each["group"]) for each in logs] == [("ldap.group_missing", group("agents"))]
        # An answer still takes the right.
        administrator.modify_dn(group("guichets"), "cn=agents")
        administrator.modify(group("agents"), {"member": [(MODIFY_DELETE, [person_dn("alix")])]})
        work.now_ms += 15 * MINUTE
        recheck.look()
    assert (work.why_ended(session), work.signed_on("desk-1")) == ("right_taken", None)


def test_rights_that_go_and_come_are_logged_without_a_name(work, directory, person, recheck):
    changed = work.log_in(person)
    gone = work.log_in(directory.add("a.exemple", "bon mot de passe", Role.AGENT), "other")
    del directory.people["a.exemple"]
    directory.people[person.account] = replace(person, roles=frozenset({Role.AGENT, Role.RECEPTION}))
    work.now_ms += 15 * MINUTE
    with capture_logs() as logs:
        recheck.look()
    told = {each.pop("event"): each for each in logs}
    level = {"log_level": "info"}
    assert told == {
        "session.roles_changed": {"session": changed, "lost": ["supervisor"], "gained": ["reception"]} | level,
        "session.rights_gone": {"session": gone, "reason": "right_taken"} | level,
    }


def test_all_sessions_of_a_person_follow_from_one_answer(work, directory, person, recheck):
    first = work.log_in(person, "here")
    work.now_ms += 10 * MINUTE
    second = work.log_in(person, "there")
    del directory.people[person.account]
    work.now_ms += 5 * MINUTE
    recheck.look()
    assert (work.why_ended(first), work.why_ended(second)) == ("right_taken", "right_taken")
    assert directory.asked == [person.account]


def test_a_directory_that_is_away_takes_no_right_and_is_asked_after_growing_waits(work, directory, person, recheck):
    session = work.log_in(person)
    directory.away = True
    work.now_ms += 15 * MINUTE
    moments = []
    start_ms = work.now_ms
    with capture_logs() as logs:
        while work.now_ms < start_ms + 300_000:
            before = len(directory.asked)
            recheck.look()
            if len(directory.asked) > before:
                moments.append((work.now_ms - start_ms) // 1000)
            work.now_ms += 1000
    assert moments == [0, 10, 30, 70, 150]
    assert work.row(session).person == person
    assert work.asked == []
    assert looked_up(work, "away") == 5
    assert {each["event"] for each in logs} == {"directory.away"}
    assert person.account not in repr(logs)


def test_a_directory_that_is_back_is_asked_about_everybody(work, directory, recheck):
    for number in range(ACCOUNTS_AT_ONCE + 1):
        work.log_in(directory.add(f"agent-{number}", "bon mot de passe", Role.AGENT), f"token-{number}")
    directory.away = True
    work.now_ms += 15 * MINUTE
    recheck.look()
    # After one question without an answer, the other accounts are not tried.
    assert len(directory.asked) == 1
    directory.away = False
    work.now_ms += 10_000
    directory.asked.clear()
    recheck.look()
    assert len(directory.asked) == ACCOUNTS_AT_ONCE
    recheck.look()
    assert len(directory.asked) == ACCOUNTS_AT_ONCE + 1


def test_who_logs_in_while_the_directory_is_asked_keeps_the_newer_answer(work, directory, person, recheck):
    old = work.log_in(person, "old")
    work.now_ms += 15 * MINUTE
    look_up, new = directory.look_up, []

    def while_somebody_logs_in(account, held):
        answer = look_up(account, held)
        work.now_ms += 1
        new.append(work.log_in(replace(person, roles=frozenset({Role.AGENT})), "new"))
        return answer

    directory.look_up = while_somebody_logs_in
    recheck.look()
    assert work.row(old).person.roles == person.roles
    assert work.row(new[0]).person.roles == {Role.AGENT}


def test_one_of_whom_nothing_is_said_keeps_no_other_from_being_asked_about(work, directory, person, recheck):
    """For example, somebody in more groups than a server returns at once."""
    directory.silent_of.add(person.account)
    work.log_in(person)
    others = [directory.add(f"agent-{number}", "bon mot de passe", Role.AGENT) for number in range(2)]
    work.now_ms += MINUTE
    for other in others:
        work.log_in(other, f"token-of-{other.account}")
    work.now_ms += 15 * MINUTE
    recheck.look()
    assert directory.asked == [person.account]
    work.now_ms += 10_000
    recheck.look()
    assert directory.asked == [person.account, "agent-0", "agent-1", person.account]


def run(work, recheck, minutes):
    """Run the thread's rounds for so many minutes, but only one every 10 s."""
    for _ in range(minutes * 6):
        recheck.look()
        work.now_ms += 10_000


@pytest.mark.parametrize("silent", [1, 2])
def test_one_of_whom_nothing_is_said_puts_off_nobodys_loss_of_rights(work, directory, recheck, silent):
    """After each question without an answer, that account is asked about later; the others are not."""
    for number in range(silent):
        other = directory.add(f"silent-{number}", "bon mot de passe", Role.AGENT)
        directory.silent_of.add(other.account)
        work.log_in(other, f"token-of-{other.account}")
    run(work, recheck, 40)
    session = work.log_in(directory.add("b.exemple", "bon mot de passe", Role.AGENT))
    del directory.people["b.exemple"]
    run(work, recheck, 16)
    assert work.why_ended(session) == "right_taken"
    assert directory.asked.count("silent-0") < 12, "they are not asked about all the time either"


def test_a_directory_that_says_nothing_of_anybody_is_asked_ever_more_rarely(work, directory, recheck):
    for number in range(20):
        work.log_in(directory.add(f"agent-{number}", "bon mot de passe", Role.AGENT), f"token-{number}")
    directory.away = True
    work.now_ms += 15 * MINUTE
    run(work, recheck, 40)
    assert len(directory.asked) < 12


def test_a_directory_that_cannot_be_asked_lets_sessions_run_to_their_end(work, directory, person, recheck):
    session = work.log_in(person)
    directory.can_look_up = False
    work.now_ms += 45 * MINUTE
    recheck.look()
    assert directory.asked == []
    assert work.why_ended(session) is None


def test_a_local_account_that_was_ended_is_out_though_the_directory_is_away(work, directory, person, locals_, recheck):
    theirs = work.log_in(person, "theirs")
    session = work.log_in(LOCAL, "local")
    directory.away = True
    locals_.clear()
    work.now_ms += 15 * MINUTE
    recheck.look()
    assert work.why_ended(session) == "ended"
    assert work.why_ended(theirs) is None


def test_a_local_account_is_never_asked_of_the_directory(work, directory, locals_, recheck):
    directory.add(LOCAL.account, "bon mot de passe", Role.AGENT)
    session = work.log_in(LOCAL)
    work.now_ms += 15 * MINUTE
    recheck.look()
    assert directory.asked == []
    assert work.row(session).checked_ms == work.now_ms


def test_an_answer_that_could_not_be_written_is_asked_for_again(work, directory, person, recheck):
    session = work.log_in(person)
    del directory.people[person.account]
    work.now_ms += 15 * MINUTE

    def away(_):
        raise OSError("the database is away")

    recheck._do = away
    with pytest.raises(OSError, match="away"):
        recheck.look()
    recheck._do = work.put
    recheck.look()
    assert work.why_ended(session) == "right_taken"


def test_a_directory_that_hangs_does_not_keep_the_hub_from_stopping(work, directory, person, recheck):
    work.log_in(person)
    work.now_ms += 15 * MINUTE
    directory.answering.clear()
    recheck.start()
    try:
        until_s = time.monotonic() + LIMIT_S
        while not directory.asked:
            assert time.monotonic() < until_s
            time.sleep(0.01)
        assert recheck.stop() is False
    finally:
        directory.answering.set()
    recheck._thread.join(LIMIT_S)
    assert recheck.stop() is True


def test_the_thread_asks_by_itself(work, directory, person, recheck):
    session = work.log_in(person)
    done = threading.Event()
    put = work.put

    def tell(command):
        future = put(command)
        if isinstance(command, EndSession):
            future.add_done_callback(lambda _: done.set())
        return future

    recheck._do = tell
    del directory.people[person.account]
    work.now_ms += 15 * MINUTE
    recheck.start()
    assert done.wait(LIMIT_S)
    assert recheck.stop() is True
    assert work.why_ended(session) == "right_taken"
