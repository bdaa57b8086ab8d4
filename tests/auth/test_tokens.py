"""`suivant token` as an administrator uses it, and what the hub then knows of a token."""

import re

import pytest
from sqlalchemy import Engine, insert

from hub.__main__ import main
from hub.auth.people import MachineToken
from hub.auth.roles import Role
from hub.auth.sessions import hash_token
from hub.auth.token_store import read_token
from hub.database.tables import MachineTokenRow
from tests.auth.commands import SITE, everything_kept, said


def found(engine: Engine, token: str, site: str = SITE) -> MachineToken | None:
    with engine.connect() as connection:
        return read_token(connection, site, hash_token(token))


def test_a_token_is_printed_once_and_kept_as_its_hash(hub_engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "create", "prometheus", "--role", "metrics"]) == 0
    token = said(capsys).out.strip()
    assert re.fullmatch(r"suivant_[A-Za-z0-9_-]{43}", token), "256 bits after the prefix"
    assert found(hub_engine, token) == MachineToken(name="prometheus", role=Role.METRICS)
    kept = everything_kept(hub_engine)
    assert token not in kept
    assert token.removeprefix("suivant_") not in kept
    assert hash_token(token) in kept


def test_every_token_is_another_one(hub_engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        main(["token", "create", name, "--role", "intranet"])
    first, second = said(capsys).out.split()
    assert first != second


def test_a_token_opens_nothing_with_a_sign_more_or_less_or_at_another_site(
    hub_engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["token", "create", "prometheus", "--role", "metrics"])
    token = said(capsys).out.strip()
    for other in ("", token[:-1], f"{token}x", token.removeprefix("suivant_"), token.upper()):
        assert found(hub_engine, other) is None
    assert found(hub_engine, token, "annexe") is None


def test_an_ended_token_opens_nothing_and_stays_listed(hub_engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    main(["token", "create", "prometheus", "--role", "metrics"])
    token = said(capsys).out.strip()
    assert main(["token", "end", "prometheus"]) == 0
    assert said(capsys).out == "the token prometheus is ended: the hub no longer accepts it.\n"
    assert found(hub_engine, token) is None
    assert main(["token", "list"]) == 0
    listed = said(capsys).out.splitlines()
    assert listed[0].split() == ["token", "role", "since", "ended"]
    moment = r"\d{4}-\d\d-\d\d \d\d:\d\d"
    assert re.fullmatch(rf"prometheus +metrics +{moment} +{moment}", listed[1])
    assert token not in "".join(listed)


def test_a_name_that_has_a_token_gets_no_second_one_until_the_first_is_ended(
    hub_engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    create = ["token", "create", "intranet", "--role", "intranet"]
    main(create)
    first = said(capsys).out.strip()
    assert main(create) == 1
    refused = said(capsys)
    assert refused.out == ""
    assert refused.err == "suivant: the token intranet exists already: end it first, or choose another name\n"
    assert found(hub_engine, first) is not None
    main(["token", "end", "intranet"])
    assert main(create) == 0
    assert found(hub_engine, first) is None


@pytest.mark.parametrize("name", ["", "Prometheus", "a b", "x" * 33, "-x"])
def test_a_token_has_a_plain_name(hub_engine: Engine, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main(["token", "create", "--role", "metrics", "--", name]) == 1
    assert "cannot be a token's name" in said(capsys).err


@pytest.mark.parametrize("role", ["agent", "administrator", "root"])
def test_a_program_is_never_given_a_person_s_role(
    hub_engine: Engine, capsys: pytest.CaptureFixture[str], role: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["token", "create", "x", "--role", role])
    # Python 3.13 puts no quotes around the choices.
    assert "choose from intranet, metrics)" in said(capsys).err.replace("'", "")


def test_a_token_that_is_not_there_cannot_be_ended(hub_engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "end", "nobody"]) == 1
    assert said(capsys).err == "suivant: there is no token nobody: suivant token list shows them all\n"


@pytest.mark.parametrize("role", ["of_a_later_version", "administrator"])
def test_a_token_of_a_role_that_no_program_has_opens_nothing(hub_engine: Engine, role: str) -> None:
    row = {"site": SITE, "name": "other", "token_hash": hash_token("made-up"), "role": role, "created_ms": 1}
    with hub_engine.execution_options(write=True).begin() as connection:
        connection.execute(insert(MachineTokenRow).values(row))
    assert found(hub_engine, "made-up") is None
