"""A program's token, sent in its header, allows what its role may do until it is revoked; nothing else does."""

import httpx
import pytest

from hub.auth.access import ACCESS, WS
from hub.auth.roles import MACHINES, Role
from tests.security.town import Town
from tests.web.stand import COOKIE, NO_TLS

FOR = {
    Role.INTRANET: "/api/v1/desks",
    Role.METRICS: "/metrics",
}


@pytest.fixture(scope="module")
def tokens(town: Town) -> dict[Role, str]:
    return {role: town.new_machine(f"a-{role}", role) for role in sorted(MACHINES)}


def path_of(template: str) -> str:
    return template.format(desk="desk-3", ticket=1, report=1)


def test_no_token_opens_a_route_of_another_role(town: Town, tokens: dict[Role, str]) -> None:
    before = town.journal()
    for role, token in tokens.items():
        for (method, template), allowed in ACCESS.items():
            if method == WS or not isinstance(allowed, frozenset) or role in allowed:
                continue
            answer = town.ask(method, path_of(template), Origin=town.own, Authorization=f"Bearer {token}")
            assert answer.status_code == 403, (role, method, template)
    assert town.journal() == before


def test_a_token_opens_what_it_is_for(town: Town, tokens: dict[Role, str]) -> None:
    for role, path in FOR.items():
        assert town.ask("GET", path, Authorization=f"Bearer {tokens[role]}").status_code == 200


def test_a_token_does_not_make_another_page_the_hubs_own(town: Town, tokens: dict[Role, str]) -> None:
    for origin in ("https://evil.example", "null"):
        headers = {"Origin": origin, "Authorization": f"Bearer {tokens[Role.INTRANET]}"}
        answer = town.ask("POST", "/api/v1/tickets", **headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign_request")


def test_an_ended_token_opens_nothing(town: Town) -> None:
    token = town.new_machine("for-a-while", Role.INTRANET)
    assert town.ask("GET", "/api/v1/desks", Authorization=f"Bearer {token}").status_code == 200
    town.end_machine("for-a-while")
    assert town.ask("GET", "/api/v1/desks", Authorization=f"Bearer {token}").status_code == 401


@pytest.mark.parametrize("name", ["token", "access_token", "authorization", "Authorization", "bearer", "api_key"])
def test_a_token_in_an_address_opens_nothing(town: Town, tokens: dict[Role, str], name: str) -> None:
    token = tokens[Role.INTRANET]
    for given in (token, f"Bearer {token}"):
        assert town.ask("GET", f"/api/v1/desks?{name}={given}").status_code == httpx.codes.UNAUTHORIZED


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (401, {"Authorization": "Bearer"}),
        (401, {"Authorization": "Bearer x"}),
        (401, {"Authorization": "Bearer  TOKEN"}),
        (401, {"Authorization": "Bearer TOKEN,TOKEN"}),
        (401, {"Authorization": f"Bearer {'x' * 5_000}"}),
        (400, {"Authorization": "TOKEN"}),
        (400, {"Authorization": "Basic TOKEN"}),
        (400, {"Authorization": "Digest TOKEN"}),
        (401, {"X-Api-Key": "TOKEN"}),
        (401, {"Proxy-Authorization": "Bearer TOKEN"}),
        (401, {"Cookie": f"{COOKIE}=TOKEN"}),
        (401, {"Cookie": "Authorization=Bearer TOKEN"}),
        (401, {"Authorization": "Bearer SESSION"}),
        (400, {"Authorization": "Bearer TOKEN", "Cookie": f"{COOKIE}=SESSION"}),
        (400, {"Authorization": "Bearer x", "Cookie": f"{COOKIE}=SESSION"}),
        (400, {"Authorization": "Bearer TOKEN", "Cookie": f"{COOKIE}=x"}),
    ],
)
def test_a_token_given_in_another_way_opens_nothing(
    town: Town, tokens: dict[Role, str], agent_token: str, status: int, headers: dict[str, str]
) -> None:
    given = {
        name: value.replace("TOKEN", tokens[Role.INTRANET]).replace("SESSION", agent_token)
        for name, value in headers.items()
    }
    assert town.ask("GET", "/api/v1/desks", **given).status_code == status


def test_two_tokens_at_once_open_nothing(town: Town, tokens: dict[Role, str]) -> None:
    given = [("Authorization", f"Bearer {tokens[role]}") for role in (Role.INTRANET, Role.METRICS)]
    answer = httpx.get(f"{town.server.address}/api/v1/desks", headers=given, verify=NO_TLS, trust_env=False)
    assert answer.status_code == 400


def test_a_token_opens_no_socket(town: Town, tokens: dict[Role, str]) -> None:
    for role, token in tokens.items():
        headers = {
            "Origin": town.own,
            "Authorization": f"Bearer {token}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version": "13",
        }
        answer = town.ask("GET", "/api/v1/desks/desk-3/live", **headers)
        assert answer.status_code == 403, role


def test_no_answer_and_no_log_repeats_a_token(
    town: Town, tokens: dict[Role, str], capfd: pytest.CaptureFixture[str]
) -> None:
    token = tokens[Role.METRICS]
    for path in ("/metrics", "/api/v1/desks", "/api/v1/none"):
        assert token not in town.ask("GET", path, Authorization=f"Bearer {token}").text
    assert token not in "".join(capfd.readouterr())
