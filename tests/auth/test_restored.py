"""`suivant database restored` ends the sessions that a backup brought back, and names its open accounts and tokens."""

import pytest
from sqlalchemy import Engine, text

from hub.__main__ import main
from hub.auth.session_store import last_ended_sessions, open_sessions
from hub.database.engine import first_generation
from hub.database.lock import hold_site
from hub.queue.people_requests import EndReason
from tests.auth.commands import SITE, said
from tests.auth.test_accounts import create, log_in, password

__all__ = ["password"]


@pytest.fixture
def put_back(hub_engine: Engine) -> Engine:
    """A database on which a hub has run before."""
    first_generation(hub_engine, SITE, 1)
    return hub_engine


def test_every_session_that_a_backup_brought_back_is_ended(
    put_back: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    log_in(put_back, "anna.exemple", local=False)
    log_in(put_back, "secours")
    assert main(["database", "restored"]) == 0
    assert "2 sessions that were open at the time of the backup: everybody must log in again.\n" in said(capsys).out
    with put_back.connect() as connection:
        assert open_sessions(connection, SITE) == []
        ended = last_ended_sessions(connection, SITE, 9)
    assert [each.reason for each in ended] == [EndReason.ENDED, EndReason.ENDED], "so the hub signs them off"
    assert main(["database", "restored"]) == 0
    assert len(said(capsys).out.splitlines()) == 1


def test_what_a_backup_opened_again_is_named_with_how_to_end_it_again(
    put_back: Engine, capsys: pytest.CaptureFixture[str], password: str
) -> None:
    create(password)
    create(password, "ended")
    main(["admin", "end", "ended"])
    for name in ("prometheus", "borrowed"):
        main(["token", "create", name, "--role", "metrics"])
    main(["token", "end", "borrowed"])
    with put_back.execution_options(write=True).begin() as connection:
        connection.execute(
            text("insert into machine_token values ('annexe', 'of-another-site', '-', 'metrics', 1, null)")
        )
    said(capsys)
    assert main(["database", "restored"]) == 0
    sites, accounts, tokens, end = said(capsys).out.splitlines()
    assert sites.endswith("1 site will update every node.")
    assert accounts == "local accounts that are open now, with their passwords and roles from the backup: secours"
    assert tokens == "tokens that are open now, as in the backup: of-another-site, prometheus"
    assert end.startswith(
        "End those that were ended or replaced since the backup: suivant admin end ACCOUNT, suivant token end NAME"
    )


def test_while_a_hub_is_at_work_no_session_is_ended(put_back: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    log_in(put_back, "secours")
    lock = hold_site(put_back, SITE)
    assert main(["database", "restored"]) == 1
    lock.release()
    with put_back.connect() as connection:
        assert len(open_sessions(connection, SITE)) == 1
