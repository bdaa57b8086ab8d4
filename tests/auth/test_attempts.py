"""The login limiter: nobody can guess a password, and nobody can lock out a colleague."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.auth.attempts import (
    ADDRESS_SIGNS,
    COUNTED_MOST,
    KNOWN_ADDRESSES_MOST,
    KNOWN_MS,
    OF_ACCOUNT,
    OF_ADDRESS,
    OF_PAIR,
    Attempts,
    one_account,
    one_address,
)
from hub.site import MINUTE_MS

NOW_MS = 1_800_000_000_000
PERSON, DESK_PC, ELSEWHERE = "b.exemple", "192.0.2.10", "198.51.100.7"
HOUR_MS = 60 * MINUTE_MS


def fail(attempts, account, address, now_ms, times=1):
    """Fail `times` times; return how many of the tries were let through."""
    return sum(attempts.begin(account, address, now_ms) is not None for _ in range(times))


def come_in(attempts, account, address, now_ms):
    begun = attempts.begin(account, address, now_ms)
    if begun is None:
        return False
    attempts.came_in(begun, now_ms)
    return True


@pytest.fixture
def attempts():
    return Attempts()


def test_the_sixth_try_of_an_account_from_one_address_waits_a_quarter_of_an_hour(attempts):
    assert fail(attempts, PERSON, DESK_PC, NOW_MS, times=6) == 5
    assert fail(attempts, PERSON, DESK_PC, NOW_MS + 15 * MINUTE_MS - 1) == 0
    assert fail(attempts, PERSON, DESK_PC, NOW_MS + 15 * MINUTE_MS) == 1


def test_who_goes_on_after_the_first_wait_has_a_longer_one(attempts):
    let_through = sum(fail(attempts, PERSON, DESK_PC, NOW_MS + minute * MINUTE_MS) for minute in range(60))
    assert let_through == OF_PAIR[1].failures


def test_asking_again_while_refused_does_not_lengthen_the_wait(attempts):
    fail(attempts, PERSON, DESK_PC, NOW_MS, times=5)
    fail(attempts, PERSON, DESK_PC, NOW_MS + 14 * MINUTE_MS, times=100)
    assert fail(attempts, PERSON, DESK_PC, NOW_MS + 15 * MINUTE_MS) == 1


def test_coming_in_forgets_the_typing_errors_before_it(attempts):
    for _ in range(10):
        assert fail(attempts, PERSON, DESK_PC, NOW_MS, times=4) == 4
        assert come_in(attempts, PERSON, DESK_PC, NOW_MS)


def test_the_typing_errors_of_who_came_in_after_all_shut_out_nobody_behind_the_same_address(attempts):
    for number in range(100):
        assert fail(attempts, f"person-{number}", DESK_PC, NOW_MS + number, times=4) == 4
        assert come_in(attempts, f"person-{number}", DESK_PC, NOW_MS + number)
    assert fail(attempts, PERSON, DESK_PC, NOW_MS + 100) == 1


def test_an_address_that_tries_one_password_on_many_accounts_is_stopped(attempts):
    let_through = sum(fail(attempts, f"person-{number}", ELSEWHERE, NOW_MS) for number in range(1000))
    assert let_through == OF_ADDRESS[0].failures


def test_an_account_of_ones_own_does_not_buy_more_tries_on_others(attempts):
    let_through = 0
    for number in range(500):
        let_through += fail(attempts, f"person-{number}", ELSEWHERE, NOW_MS)
        come_in(attempts, "the.attacker", ELSEWHERE, NOW_MS)
    assert let_through == OF_ADDRESS[0].failures


def test_an_account_stands_at_most_a_hundred_failures_a_day_from_any_number_of_unknown_addresses(attempts):
    let_through = 0
    for number in range(24 * 60):
        address = f"10.0.{number // 250}.{number % 250}"
        let_through += fail(attempts, PERSON, address, NOW_MS + number * MINUTE_MS, times=5)
    assert let_through == OF_ACCOUNT[1].failures == 100


@pytest.mark.parametrize("tries_of_each", [1, 2, 5])
def test_no_flood_of_made_up_accounts_makes_that_of_an_account_forgotten(attempts, monkeypatch, tries_of_each):
    """Each try comes from its own address: one IPv6 network has thousands of them."""
    monkeypatch.setattr("hub.auth.attempts.COUNTED_MOST", 20)
    let_through = 0
    for minute in range(0, 24 * 60, 2):
        let_through += fail(attempts, PERSON, f"2001:db8:1:{minute:x}::1", NOW_MS + minute * MINUTE_MS)
        for other in range(3):
            address = f"2001:db8:2:{minute:x}{other}::1"
            fail(attempts, f"made-up-{minute}-{other}", address, NOW_MS + minute * MINUTE_MS, times=tries_of_each)
    assert let_through <= OF_ACCOUNT[1].failures


def test_no_flood_of_made_up_accounts_shuts_out_who_comes_from_where_they_always_do(attempts, monkeypatch):
    monkeypatch.setattr("hub.auth.attempts.COUNTED_MOST", 20)
    come_in(attempts, PERSON, DESK_PC, NOW_MS)
    for number in range(500):
        fail(attempts, f"made-up-{number}", f"2001:db8:2:{number // 3:x}::1", NOW_MS)
    assert come_in(attempts, PERSON, DESK_PC, NOW_MS)


def test_a_day_after_a_flood_everybody_has_all_their_tries(attempts, monkeypatch):
    monkeypatch.setattr("hub.auth.attempts.COUNTED_MOST", 20)
    for number in range(200):
        fail(attempts, f"made-up-{number}", f"10.0.0.{number}", NOW_MS, times=5)
    assert fail(attempts, PERSON, ELSEWHERE, NOW_MS + OF_ACCOUNT[1].within_ms, times=6) == 5


def test_tries_that_are_under_way_count_like_failed_ones(attempts):
    begun = [attempts.begin(PERSON, DESK_PC, NOW_MS) for _ in range(6)]
    assert begun[5] is None
    attempts.came_in(begun[0], NOW_MS)
    assert attempts.begin(PERSON, DESK_PC, NOW_MS) is not None


def test_a_try_that_nobody_judged_counts_nowhere(attempts):
    for _ in range(300):
        attempts.not_judged(attempts.begin(PERSON, ELSEWHERE, NOW_MS))
    assert fail(attempts, PERSON, ELSEWHERE, NOW_MS, times=6) == 5


def test_where_somebody_always_logs_in_the_typing_errors_of_others_there_do_not_count(attempts):
    come_in(attempts, PERSON, DESK_PC, NOW_MS)
    for number in range(100):
        fail(attempts, f"person-{number}", DESK_PC, NOW_MS)
    assert come_in(attempts, PERSON, DESK_PC, NOW_MS)
    assert not come_in(attempts, "a.newcomer", DESK_PC, NOW_MS)


def test_an_address_is_known_for_thirty_days_after_the_last_login_there(attempts):
    come_in(attempts, PERSON, DESK_PC, NOW_MS)
    later_ms = NOW_MS + KNOWN_MS
    for each_ms, expected in ((later_ms - 1, True), (later_ms, False)):
        for number in range(25):
            fail(attempts, PERSON, f"10.9.{expected:d}.{number}", each_ms)
        assert (attempts.begin(PERSON, DESK_PC, each_ms) is not None) is expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"),
        ("::ffff:192.0.2.10", "192.0.2.10"),
        ("x" * ADDRESS_SIGNS, "x" * 10_000),
    ],
)
def test_the_addresses_of_one_line_are_one(one, other):
    assert one_address(one) == one_address(other)


def test_two_lines_are_two():
    assert one_address("2001:db8:1:2::1") != one_address("2001:db8:1:3::1")


@pytest.mark.parametrize(
    "spelling", ["B.Exemple", "b.exemple ", "ｂ.exemple", "b.exe\u00admple", "b.exémple", "𝐁.exemple"]
)
def test_no_other_spelling_gives_more_tries(attempts, spelling):
    fail(attempts, PERSON, ELSEWHERE, NOW_MS, times=5)
    assert fail(attempts, spelling, ELSEWHERE, NOW_MS) == 0


def test_an_account_without_any_letter_is_counted_too():
    assert one_account("...") == "..."


def test_memory_is_bounded(attempts):
    for number in range(COUNTED_MOST + 100):
        address = f"10.{number // 65536}.{number // 256 % 256}.{number % 256}"
        fail(attempts, f"person-{number}", address, NOW_MS)
        fail(attempts, PERSON, DESK_PC, NOW_MS)
    for counted in (attempts._pairs, attempts._addresses, attempts._accounts):
        assert len(counted._at_ms) == COUNTED_MOST
    # An account that is tried all the time is not forgotten.
    assert fail(attempts, PERSON, DESK_PC, NOW_MS) == 0
    for number in range(2 * KNOWN_ADDRESSES_MOST):
        come_in(attempts, "the.traveller", f"10.200.0.{number}", NOW_MS)
    assert len(attempts._known[one_account("the.traveller")]) == KNOWN_ADDRESSES_MOST


others_do = st.lists(
    st.tuples(
        st.sampled_from([PERSON, PERSON.upper(), "c.exemple", "d.exemple"]),
        st.sampled_from([ELSEWHERE, "203.0.113.9", "2001:db8::1", "10.0.0.1", "10.0.0.2", "not an address"]),
        st.integers(0, 2 * HOUR_MS),
        st.sampled_from(["fails", "is not judged", "comes in"]),
        st.integers(1, 40),
    ),
    max_size=40,
)


@given(others_do, st.integers(0, OF_PAIR[0].failures - 1))
def test_whatever_others_do_from_elsewhere_who_is_right_from_a_known_address_comes_in(others, typing_errors):
    attempts = Attempts()
    now_ms = NOW_MS
    come_in(attempts, PERSON, DESK_PC, now_ms)
    for account, address, pause_ms, outcome, times in others:
        now_ms += pause_ms
        for _ in range(times):
            begun = attempts.begin(account, address, now_ms)
            if begun and outcome == "comes in" and one_account(account) != one_account(PERSON):
                attempts.came_in(begun, now_ms)
            elif begun and outcome == "is not judged":
                attempts.not_judged(begun)
    assert fail(attempts, PERSON, DESK_PC, now_ms, times=typing_errors) == typing_errors
    assert come_in(attempts, PERSON, DESK_PC, now_ms)


@given(others_do, st.sampled_from([1, 2, 4, COUNTED_MOST]))
def test_no_order_of_tries_lets_more_through_than_the_rules(others, counted_most):
    attempts = Attempts()
    now_ms = NOW_MS
    failed = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hub.auth.attempts.COUNTED_MOST", counted_most)
        for account, address, pause_ms, _, times in others:
            now_ms += pause_ms
            count = fail(attempts, account, address, now_ms, times)
            failed += [(one_account(account), one_address(address), now_ms)] * count
    for rules, place in ((OF_PAIR, slice(0, 2)), (OF_ADDRESS, slice(1, 2)), (OF_ACCOUNT, slice(0, 1))):
        for most in rules:
            for last in failed:
                alike = [each for each in failed if each[place] == last[place]]
                within = [each for each in alike if last[2] - most.within_ms < each[2] <= last[2]]
                assert len(within) <= most.failures
