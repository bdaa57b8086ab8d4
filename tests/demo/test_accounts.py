"""The accounts of the demo's people, made by the hub's own commands and kept."""

import asyncio
import shutil

import pytest

from demo.accounts import FOLDER, NotMade, make_accounts
from demo.stage import SITE_FILE
from tests.demo.conftest import hub_settings


def test_accounts_that_were_made_once_serve_the_next_start(accounts, tmp_path):
    shutil.copytree(accounts, tmp_path / FOLDER)
    database = tmp_path / FOLDER / "suivant.db"
    before = database.stat().st_mtime_ns
    asyncio.run(make_accounts(hub_settings(tmp_path, SITE_FILE)))
    assert database.stat().st_mtime_ns == before
    assert (tmp_path / "hub" / "suivant.db").read_bytes() == database.read_bytes()


def test_an_account_that_cannot_be_made_is_told_by_what_the_command_said(tmp_path):
    with pytest.raises(NotMade, match=r"suivant admin create .*nowhere.yaml, which .* does not exist"):
        asyncio.run(make_accounts(hub_settings(tmp_path, tmp_path / "nowhere.yaml")))
    assert not (tmp_path / FOLDER / "made").exists()
