"""Who works in the demo, and whoever logs in beside them by what its page says."""

import asyncio
import re
import shutil
import time
from typing import Any

import httpx
import pytest

from demo.accounts import FOLDER, NotMade, make_accounts
from demo.people import AGENTS, GUESTS
from demo.stage import SITE_FILE
from tests.demo.conftest import PATIENCE_S, Demo, hub_settings


def desk(demo: Demo, name: str) -> dict[str, Any]:
    found: dict[str, Any] = demo.browser().get(f"/api/v1/desks/{name}").raise_for_status().json()
    return found


def until_desk(demo: Demo, name: str, **wanted: Any) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not wanted.items() <= (now := desk(demo, name)).items():
        assert time.monotonic() < until_s, f"not within {PATIENCE_S} s: {wanted}; the desk is {now}"
        time.sleep(0.1)  # no part of the demo's page tells who is signed on


def command(browser: httpx.Client, desk: str, word: str) -> None:
    held = browser.get(f"/api/v1/desks/{desk}").raise_for_status().json()["held"]
    body = {"shown": held and held["ticket"]}
    browser.post(f"/api/v1/desks/{desk}/{word}", json=body).raise_for_status()


def test_whom_the_page_names_the_hub_lets_in_with_the_password_it_says(shared_demo):
    *accounts, password = re.findall("<code>(.+?)</code>", shared_demo.fetch("/").decode())
    assert accounts == [guest.account for guest in GUESTS]
    (hub,) = re.findall(r"href=\"(http://[^/]+)/desks/desk-3\"", shared_demo.fetch("/").decode())
    for account in accounts:
        with httpx.Client(base_url=hub, headers={"origin": hub}, trust_env=False, timeout=PATIENCE_S) as browser:
            asked = browser.get("/desks/desk-3")
            assert asked.headers["location"] == "/login?to=/desks/desk-3"
            form = {"account": account, "password": password, "to": "/desks/desk-3"}
            assert browser.post("/login", data=form).headers["location"] == "/desks/desk-3"
            assert browser.get("/desks/desk-3").status_code == httpx.codes.OK


def test_the_mornings_agents_are_signed_on_each_at_a_desk(shared_demo):
    for place, agent in enumerate(AGENTS, 1):
        until_desk(shared_demo, f"desk-{place}", agent=agent.account, mode="open")


def test_a_desk_that_a_guest_took_over_is_left_alone_until_the_guest_leaves_it(shared_demo):
    demo, guest = shared_demo, shared_demo.browser("agent")
    until_desk(demo, "desk-3", agent="agent-3", mode="open")
    command(guest, "desk-3", "sign-on")
    if desk(demo, "desk-3")["held"]:
        command(guest, "desk-3", "finish")
    command(guest, "desk-3", "pause")
    # Its agent would be back from a pause before so many others are called.
    called: set[str] = set()

    def others_called(parts: dict[str, dict[str, Any]]) -> bool:
        called.update(number for number, _ in parts["hub"].get("calls", ()))
        return len(called) > 12

    demo.until(others_called, "other desks call")
    assert (desk(demo, "desk-3")["agent"], desk(demo, "desk-3")["mode"]) == ("agent", "paused")

    command(guest, "desk-3", "sign-off")
    until_desk(demo, "desk-3", agent="agent-3", mode="open")


def test_accounts_that_were_made_once_serve_the_next_start(shared_demo, tmp_path):
    made_by = shared_demo.output.split("Logs, database:")[1].split("\n")[0].strip().rstrip("/")
    shutil.copytree(f"{made_by}/{FOLDER}", tmp_path / FOLDER)
    database = tmp_path / FOLDER / "suivant.db"
    before = database.stat().st_mtime_ns
    asyncio.run(make_accounts(hub_settings(tmp_path, SITE_FILE)))
    assert database.stat().st_mtime_ns == before
    assert (tmp_path / "hub" / "suivant.db").read_bytes() == database.read_bytes()


def test_an_account_that_cannot_be_made_is_told_by_what_the_command_said(tmp_path):
    with pytest.raises(NotMade, match=r"suivant admin create .*site file"):
        asyncio.run(make_accounts(hub_settings(tmp_path, tmp_path / "nowhere.yaml")))
    assert not (tmp_path / FOLDER / "made").exists()
