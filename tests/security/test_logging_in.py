"""Attempts to log in without the right to, with the login page, a real hub and a real directory.

The directory lets in everybody who binds without a password.
"""

import re
from collections.abc import Iterator

import httpx
import pytest

from hub.auth import login
from hub.auth.directory import Directory
from hub.auth.ldap_directory import open_directory
from tests.auth.slapd import PASSWORD, PEOPLE, Slapd, start_slapd
from tests.auth.town_directory import people
from tests.security.town import EMERGENCY_PASSWORD, Town, log_in, open_town
from tests.web.stand import COOKIE

WRONG = "mauvais mot de passe"
# PASSWORD is the right password of alix, an agent.
INJECTIONS = [
    "*",
    "a*",
    "alix*",
    "*lix",
    "alix)(uid=*",
    "alix)(|(uid=*",
    "*)(objectClass=*",
    "*)(uid=*))(|(uid=*",
    "nobody)(|(objectClass=*",
    "alix)(&",
    "(uid=alix)",
    "alix)(!(uid=x)",
    "\\2a",
    "al\\69x",
    "alix\\00",
    "alix\0",
    f"uid=alix,{PEOPLE}",
    "alix,ou=people",
    "alix+cn=Alix Exemple",
    'alix"',
    "#616c6978",
    "alix;lang-fr",
    "cn=admin",
    "ｕｉｄ",
]


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    with start_slapd(tmp_path_factory.mktemp("slapd"), people()) as running:
        yield running


@pytest.fixture(scope="module", params=["search first", "bind as who asks"])
def municipal(request: pytest.FixtureRequest, slapd: Slapd) -> Iterator[Directory]:
    """A directory, asked in each of the two ways."""
    direct = {"service_account": None, "bind_as": f"uid={{account}},{PEOPLE}"}
    opened = open_directory(slapd.described(**(direct if request.param != "search first" else {})), slapd.secrets)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, municipal: Directory) -> Iterator[Town]:
    with open_town(tmp_path_factory.mktemp("hub"), municipal) as made:
        made.add_local("secours")
        yield made


@pytest.fixture(autouse=True)
def another_day(town: Town) -> None:
    """Let two days pass: failed attempts are forgotten, and everybody is logged out."""
    town.clock.turn(minutes=2 * 24 * 60)
    town.look()


def came_in(town: Town, answer: httpx.Response) -> bool:
    return answer.status_code == 303 or "set-cookie" in answer.headers or town.open_session_count() > 0


def test_somebody_of_the_directory_comes_in(town: Town, stranger: httpx.Client) -> None:
    answer = log_in(stranger, "alix", PASSWORD)
    assert came_in(town, answer)
    cookie = answer.headers["set-cookie"]
    assert re.fullmatch(rf"{COOKIE}=[\w-]{{43}}; HttpOnly; Path=/; SameSite=lax", cookie)
    assert stranger.get("/").status_code == 200


def test_no_account_is_a_filter_or_a_part_of_a_name(town: Town) -> None:
    for account in INJECTIONS:
        # Otherwise the hub would soon refuse the address without asking the directory.
        town.clock.turn(minutes=16)
        with town.browser() as browser:
            answer = log_in(browser, account, PASSWORD)
            assert answer.status_code == 401, account
            assert not came_in(town, answer), account


@pytest.mark.parametrize("account", ["alix", "", " ", "nobody", "cn=admin"])
@pytest.mark.parametrize("password", ["", "\0", "\0" * 12, None])
def test_nobody_comes_in_without_a_password(
    town: Town, stranger: httpx.Client, account: str, password: str | None
) -> None:
    fields = {"account": account} | ({} if password is None else {"password": password})
    answer = stranger.post("/login", data=fields)
    assert answer.status_code == 401
    assert not came_in(town, answer)


def shown(answer: httpx.Response, account: str) -> tuple[int, str, list[str]]:
    """Everything that somebody who tries to log in sees, except what they typed."""
    headers = sorted(name for name in answer.headers if name != "content-length")
    return answer.status_code, answer.text.replace(f'value="{account}"', ""), headers


def test_no_answer_tells_which_accounts_there_are(town: Town, municipal: Directory) -> None:
    tries = {
        "alix": WRONG,
        "inconnue": WRONG,
        "secours": WRONG,
        # The right password of somebody without a role, and of somebody whose account has expired.
        "nobody-special": PASSWORD,
        "expired": PASSWORD,
        # The right password of a local account, at the wrong account.
        "basile": EMERGENCY_PASSWORD,
    }
    answers = []
    for account, password in tries.items():
        with town.browser() as browser:
            answers += [shown(log_in(browser, account, password), account) for _ in range(6)]
            assert town.open_session_count() == 0
    first = answers[:6]
    assert [status for status, _, _ in first] == [401] * 5 + [429]
    assert all(answers[place : place + 6] == first for place in range(0, len(answers), 6))


def test_no_account_is_refused_with_less_work_than_another(
    town: Town, municipal: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt does the same slow work: one hash, and one question to the directory."""
    work: list[str] = []
    matches, asked = login.matches, municipal.log_in
    monkeypatch.setattr(login, "matches", lambda *given: work.append("hash") or matches(*given))
    monkeypatch.setattr(municipal, "log_in", lambda *given: work.append("directory") or asked(*given))
    for account in ("alix", "inconnue", "secours", "nobody-special", "expired"):
        work.clear()
        with town.browser() as browser:
            log_in(browser, account, WRONG)
        assert sorted(work) == ["directory", "hash"], account


def test_the_password_of_a_local_account_never_reaches_the_directory(
    town: Town, municipal: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.add_local("alix")
    sent: list[tuple[str, ...]] = []
    asked = municipal.log_in
    monkeypatch.setattr(municipal, "log_in", lambda *given: sent.append(given) or asked(*given))
    with town.browser() as browser:
        assert log_in(browser, "alix", WRONG).status_code == 401
        assert log_in(browser, "alix", EMERGENCY_PASSWORD).status_code == 303
    assert not any({"alix", WRONG, EMERGENCY_PASSWORD} & set(given) for given in sent)
