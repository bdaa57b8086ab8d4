"""The demo as a newcomer meets it: real programs, watched through its page alone."""

import io
import json
import os
import signal
import subprocess

import pytest
from PIL import Image
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.demo.conftest import children, is_alive, start_demo

PAPER = (0xFF, 0xFA, 0xF0)


def share_of_paper(png: bytes) -> float:
    """How much of a picture is of the colour of a ticket; a call covers more than a third with it."""
    with Image.open(io.BytesIO(png)) as picture:
        small = picture.convert("RGB").resize((96, 54), Image.Resampling.NEAREST)
        return sum(pixel == PAPER for pixel in small.get_flattened_data()) / (96 * 54)


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
        # A machine that stalls keeps another program from answering for a moment, which its part says truly.
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
    assert "looked for what is left of them: no process" in demo.output


def test_the_demo_ends_by_itself_when_it_was_told_so(tmp_path):
    process = start_demo(tmp_path / "demo", SECONDS_LIMIT="8")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "looked for what is left of them: no process" in output


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
    assert "another demo runs" in second.stderr


def test_the_page_refuses_a_socket_that_another_page_opened(shared_demo):
    address = f"{shared_demo.address.replace('http', 'ws')}/live"
    with pytest.raises(InvalidStatus), connect(address, origin="http://elsewhere.example"):
        pass
