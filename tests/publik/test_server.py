"""The test Publik itself: facts that no other test checks, and how the demo runs it."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.publik import signing
from tests.publik.conftest import FORM, system_ms
from tests.publik.server import CLIENT, KEY, TestPublik

PROGRAM = Path(__file__).with_name("server.py")


def ask(address: str, body: object = None, **headers: str) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            text = error.read()
        return error.code, json.loads(text) if error.headers["Content-Type"] == "application/json" else text


def signed(url: str) -> str:
    return signing.signed_url(url, orig=CLIENT, key=KEY, now_s=system_ms() / 1000)


def test_an_error_comes_as_json_only_where_it_was_asked_for(publik: TestPublik):
    """[code]"""
    url = f"{publik.address}/api/forms/{FORM}/list"
    assert ask(url)[1].startswith(b"<!DOCTYPE html>")
    assert ask(url, Accept="application/json")[1]["err_code"] == "access-denied"


def test_a_replayed_query_is_denied(publik: TestPublik):
    """[code]"""
    url = signed(f"{publik.address}/api/forms/{FORM}/list")
    assert ask(url) == (200, [])
    assert ask(url, Accept="application/json")[1]["err_desc"] == "nonce already used"


def test_an_unknown_filter_is_a_loud_400(publik: TestPublik):
    """[code]"""
    status, said = ask(signed(f"{publik.address}/api/forms/{FORM}/list?filter-date=1"), Accept="application/json")
    assert (status, said["err_code"], said["err_desc"]) == (400, "invalid-request", "Invalid filter “filter-date”")
    assert ask(signed(f"{publik.address}/api/forms/{FORM}/list?limit=many"), Accept="application/json")[0] == 400


def test_a_list_without_full_names_nobody_and_filters_by_status(publik: TestPublik):
    """[code]"""
    publik.town.book(FORM, "2026-11-25 10:00")
    publik.town.cancel(FORM, publik.town.book(FORM, "2026-11-25 10:00").id)
    base = f"{publik.address}/api/forms/{FORM}/list"
    assert "fields" not in ask(signed(base))[1][0]
    for filter_, many in (("all", 2), ("pending", 1), ("done", 1), ("5", 1), ("R%C3%A9serv%C3%A9", 1), ("2", 0)):
        assert len(ask(signed(f"{base}?filter={filter_}"))[1]) == many
    assert ask(signed(f"{base}?offset=9"))[1] == []


def test_a_trigger_takes_no_get(publik: TestPublik):
    """[code]"""
    publik.town.book(FORM, "2026-11-25 10:00")
    status, said = ask(signed(f"{publik.address}/{FORM}/1/jump/trigger/suivant-arrive/"), Accept="application/json")
    assert (status, said["err_desc"]) == (403, "Wrong HTTP method (must be POST or PUT).")


def test_chrono_keeps_keys_that_it_does_not_know(publik: TestPublik):
    """[doc] This is why the hub sends exactly the documented keys."""
    publik.town.book(FORM, "2026-11-25 10:00")
    url = signed(f"{publik.address}/chrono/api/booking/1001/")
    request = urllib.request.Request(url, b'{"ours": 1}', {"Content-Type": "application/json"}, method="PATCH")  # noqa: S310
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310
    assert publik.town.bookings[1001].extra_data == {"ours": 1}


def test_chrono_lists_no_day(publik: TestPublik):
    """[doc]"""
    status, said = ask(signed(f"{publik.address}/chrono/api/bookings/?date_start=2026-11-25"))
    assert (status, said["err"]) == (400, 1)


def test_it_calls_a_hub_at_each_change_and_signs(publik: TestPublik):
    with TestPublik() as hub:
        # Any server will do: only the calls it gets are checked.
        publik.pushing.to = f"{hub.address}/api/v1/publik/push?from=test"
        made = publik.town.book(FORM, "2026-11-25 10:00")
        publik.town.book(FORM, "2026-11-25 10:00", draft=True)
        publik.town.move(FORM, made.id, "2026-11-26 10:00")
        publik.town.cancel(FORM, made.id)
        for _ in range(3):
            publik.pushing.answered.get(timeout=10)
        queries = [query for method, _path, query in hub.calls if method == "POST"]
    assert len(queries) == 3
    nonces = signing.Nonces()
    for query in queries:
        signing.check(query, {"127.0.0.1": KEY}, nonces, system_ms() / 1000)


def test_it_runs_as_a_program_that_the_control_side_moves(tmp_path: Path):
    key = tmp_path / "key"
    key.write_text(f"{KEY}\n", encoding="utf-8")
    command = [sys.executable, str(PROGRAM), "--port", "0", "--key-file", str(key), "--form", FORM]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout is not None
            address = json.loads(program.stdout.readline())["address"]
            control = f"{address}/control"
            made = ask(f"{control}/book", {"form": FORM, "start": "2026-11-25 10:00", "code": "AB12"})[1]
            assert made == {
                "form": FORM,
                "id": 1,
                "status": "1",
                "booking": 1001,
                "start": "2026-11-25 10:00:00",
                "code": "AB12",
            }
            of = {"form": FORM, "id": 1}
            assert ask(f"{control}/move", of | {"start": "2026-11-25 11:00"})[1]["booking"] == 1002
            assert ask(f"{control}/status", of | {"status": "2"})[1]["status"] == "2"
            assert ask(f"{control}/cancel", of)[1]["status"] == "5"
            assert [form["id"] for form in ask(f"{control}/forms")[1]["forms"]] == [1]
            assert ask(f"{control}/fault", {"kind": "err"})[0] == 200
            assert ask(f"{control}/calm", {})[0] == 200
            assert ask(f"{control}/clock", {"off_ms": 1000})[0] == 200
            assert ask(f"{control}/switch", {"newest_first": False})[0] == 200
            assert ask(f"{control}/push_to", {"address": None})[0] == 200
            assert ask(f"{control}/told")[1] == {"told": []}
            assert ask(f"{control}/lose", of)[0] == 200
            assert ask(f"{control}/calls")[1] == {"calls": []}
        finally:
            program.terminate()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("nothing", {}),
        ("book", {}),
        ("book", {"form": FORM, "start": "2026-11-25 10:00", "colour": "red"}),
        ("move", {"form": "away", "id": 1}),
        ("fault", {"kind": "explode"}),
        ("switch", {"nothing": True}),
    ],
)
def test_the_control_side_says_what_it_does_not_understand(publik: TestPublik, path: str, body: object):
    status, said = ask(f"{publik.address}/control/{path}", body)
    assert status in {400, 404}
    assert said["error"]
