"""The demo as a newcomer meets it: real programs, watched through its page alone."""

import io
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import httpx
import pytest
from PIL import Image
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from demo.people import AGENTS, GUESTS
from demo.screenshots import read_addresses
from tests.demo.conftest import PATIENCE_S, Demo, children, is_alive, keep, start_demo

PAPER = (0xFF, 0xFA, 0xF0)


def share_of_paper(png: bytes) -> float:
    """The share of a picture that has the colour of a ticket's paper; a call covers more than a third with it."""
    with Image.open(io.BytesIO(png)) as picture:
        small = picture.convert("RGB").resize((96, 54), Image.Resampling.NEAREST)
        return sum(pixel == PAPER for pixel in small.get_flattened_data()) / (96 * 54)


def desk(demo: Demo, name: str) -> dict[str, Any]:
    found: dict[str, Any] = demo.browser().get(f"/api/v1/desks/{name}").raise_for_status().json()
    return found


def until_desk(demo: Demo, name: str, **wanted: Any) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not wanted.items() <= (now := desk(demo, name)).items():
        assert time.monotonic() < until_s, f"not within {PATIENCE_S} s: {wanted}; the desk is {now}"
        time.sleep(0.1)  # no part of the demo's page tells who is signed on


def command(browser: httpx.Client, desk: str, word: str) -> None:
    """Post a command, again after a conflict: the script may still be finishing what it began before the guest came."""
    until_s = time.monotonic() + PATIENCE_S
    while True:
        held = browser.get(f"/api/v1/desks/{desk}").raise_for_status().json()["held"]
        answer = browser.post(f"/api/v1/desks/{desk}/{word}", json={"shown": held and held["ticket"]})
        if answer.status_code != httpx.codes.CONFLICT or time.monotonic() > until_s:
            answer.raise_for_status()
            return
        time.sleep(0.1)  # no part of the demo's page tells it


def finish_if_held(browser: httpx.Client, desk: str) -> None:
    """Finish the desk's ticket. The script may do so first: it may still be finishing what it began before."""
    until_s = time.monotonic() + PATIENCE_S
    while held := browser.get(f"/api/v1/desks/{desk}").raise_for_status().json()["held"]:
        answer = browser.post(f"/api/v1/desks/{desk}/finish", json={"shown": held["ticket"]})
        assert time.monotonic() < until_s, f"not within {PATIENCE_S} s: nobody is held; the hub says {answer.text}"


def until_told(process: subprocess.Popen[str], words: str) -> str:
    """What a demo prints up to the line with these words."""
    said = ""
    assert process.stdout is not None
    while words not in said:
        line = process.stdout.readline()
        assert line, f"the demo ended: {said}"
        said += line
    return said


def test_a_visitor_takes_a_ticket_and_the_display_shows_who_goes_where(shared_demo):
    shared_demo.until(lambda parts: parts["dispenser"].get("papers"), "a ticket was printed")
    with Image.open(io.BytesIO(shared_demo.fetch(f"/paper/{shared_demo.parts['dispenser']['papers'][0]}"))) as paper:
        assert paper.width == 576

    frames = set()

    def call_is_shown(parts) -> bool:
        frame = parts["display"].get("frame")
        if frame is None or frame in frames:
            return False
        frames.add(frame)
        return share_of_paper(shared_demo.fetch(f"/frame.png?{frame}")) > 0.3

    shared_demo.until(call_is_shown, "a call fills the display")


def test_a_hand_on_a_button_of_the_page_moves_the_pin_of_the_real_node(shared_demo):
    shared_demo.send(json.dumps({"node": "button-4", "pin": 17, "pressed": True}))
    shared_demo.until(lambda parts: 17 in parts["button-4"].get("pressed", ()), "the button is down")
    shared_demo.until(lambda parts: parts["button-4"].get("led"), "its lamp answers the hand")
    shared_demo.send(json.dumps({"node": "button-4", "pin": 17, "pressed": False}))
    shared_demo.until(lambda parts: 17 not in parts["button-4"]["pressed"], "the button is up")


def test_the_pictures_are_taken_of_the_page_and_of_the_hub_that_the_terminal_names(shared_demo):
    page, hub = read_addresses(shared_demo.output)
    with urlopen(page) as answer:  # noqa: S310
        assert f'href="{hub}/desks/desk-3"' in answer.read().decode()


def test_each_address_at_the_terminal_opens_at_once_or_says_that_one_must_log_in_first(shared_demo):
    told = [(address, line) for line in shared_demo.output.splitlines() for address in re.findall(r"http://\S+", line)]
    assert len(told) == 4
    for address, line in told:
        by_login = "once logged in" in line
        opened = httpx.get(address, follow_redirects=True, trust_env=False, timeout=PATIENCE_S)
        assert opened.is_success != by_login, line
        if by_login:
            shared_demo.ask_hub(address)


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
    # While a ticket is held, the pause takes effect at the end of its visit.
    command(guest, "desk-3", "pause")
    finish_if_held(guest, "desk-3")
    # The script's agent would have ended a pause before so many other tickets are called.
    called: set[str] = set()

    def others_called(parts: dict[str, dict[str, Any]]) -> bool:
        called.update(number for number, _ in parts["hub"].get("calls", ()))
        return len(called) > 12

    demo.until(others_called, "other desks call")
    assert (desk(demo, "desk-3")["agent"], desk(demo, "desk-3")["mode"]) == ("agent", "paused")

    command(guest, "desk-3", "sign-off")
    until_desk(demo, "desk-3", agent="agent-3", mode="open")


def test_the_dispensers_lamp_says_that_it_is_ready(shared_demo):
    shared_demo.until(lambda parts: parts["dispenser"].get("led") is True, "its lamp is on")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("nodes/button-5", "button-5"),
        ("nodes/screen-1", "display"),
        ("nodes/dispenser-1", "dispenser"),
        ("suivant hub", "hub"),
        ("mosquitto", "broker"),
        ("tests.publik.server", "publik"),
    ],
)
@pytest.mark.parametrize(("number", "said"), [(signal.SIGKILL, "ended"), (signal.SIGSTOP, "frozen")])
def test_a_program_that_stops_is_said_in_its_own_place_and_nowhere_else(shared_demo, words, part, number, said):
    demo = shared_demo

    def only(state: str):
        # On a machine that stalls another program may not answer for a moment, and its part then rightly says so.
        others = dict.fromkeys(demo.parts, "up")
        return lambda parts: {name: shown["state"] for name, shown in parts.items()} == others | {part: state}

    os.kill(demo.pid(words), number)
    demo.until(only(said), f"{part}, and nothing else, is {said}")

    demo.send(json.dumps({"restart": part}))
    demo.until(only("up"), f"{part} is up again, as all else")


def test_ctrl_c_leaves_no_process_even_after_a_crash_of_one(demo):
    started = children(demo.process.pid)
    assert len(started) == 14
    os.kill(demo.pid("suivant hub"), signal.SIGKILL)
    os.kill(demo.pid("nodes/button-2"), signal.SIGSTOP)

    assert demo.end(signal.SIGINT) == 0
    assert not any(is_alive(pid) for pid in started)
    assert "all 14 programs are stopped; a check found no process left" in demo.output


@pytest.fixture
def first_start(tmp_path) -> Iterator[subprocess.Popen[str]]:
    """A demo without kept accounts: it creates them first, and the hub waits."""
    process = start_demo(tmp_path / "demo")
    yield process
    process.terminate()
    process.communicate(timeout=PATIENCE_S)


def test_the_page_opens_before_a_first_start_creates_the_accounts_which_it_counts(first_start):
    page = re.search(r"The hall, live: +(http://\S+)", until_told(first_start, "accounts"))
    assert page is not None
    assert httpx.get(page[1], trust_env=False, timeout=PATIENCE_S).is_success
    until_told(first_start, f"1 of {len(GUESTS) + len(AGENTS)} accounts")


def test_ctrl_c_before_the_hub_is_started_counts_the_programs_that_were(first_start):
    until_told(first_start, "accounts")
    first_start.send_signal(signal.SIGINT)
    output, _ = first_start.communicate(timeout=PATIENCE_S)
    assert "all 13 programs are stopped" in output


def test_the_demo_ends_by_itself_when_it_has_played_as_long_as_it_was_told(tmp_path, accounts):
    keep(accounts, tmp_path / "demo")
    process = start_demo(tmp_path / "demo", SECONDS_LIMIT="3")
    output, _ = process.communicate(timeout=2 * PATIENCE_S)
    assert process.returncode == 0
    assert "The hall, live" in output
    assert "a check found no process left" in output


@pytest.mark.parametrize("speed", ["0", "11", "fast"])
def test_a_speed_that_no_rule_could_follow_is_refused_in_a_sentence(tmp_path, speed):
    process = start_demo(tmp_path / "demo", SPEED=speed)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert output == f"demo: SPEED is '{speed}': it should be a whole number from 1 to 10.\n"


def test_a_second_demo_in_the_same_folder_is_refused_in_a_sentence(shared_demo):
    folder = shared_demo.output.split("Logs, database:")[1].split("\n")[0].strip().rstrip("/")
    second = subprocess.run(
        [*shared_demo.process.args],
        env=os.environ | {"DEMO_DIR": folder},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert "another demo is running" in second.stderr


def test_the_page_refuses_a_socket_that_another_page_opened(shared_demo):
    address = f"{shared_demo.address.replace('http', 'ws')}/live"
    with pytest.raises(InvalidStatus), connect(address, origin="http://elsewhere.example"):
        pass
