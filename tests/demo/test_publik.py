"""The demo's client of the test Publik, with the real program behind it."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from demo.publik import Booked, Publik


@contextmanager
def running_publik() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The running program and its address."""
    command = [sys.executable, "-m", "tests.publik.server", "--form", "rdv"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())["address"]
        finally:
            process.kill()


async def book(citizen: Publik, place: int) -> Booked:
    return await citizen.book("rdv", f"2026-11-25 10:0{place}", code=f"A{place}", first_name="Zoé", last_name="Exemple")


def test_a_citizen_whose_booking_was_not_answered_has_one_appointment(monkeypatch):
    monkeypatch.setattr("demo.publik.TIMEOUT_S", 0.3)

    async def morning() -> list[dict[str, Any]]:
        with running_publik() as (process, address):
            citizen = Publik(address)
            process.send_signal(signal.SIGSTOP)
            asking = asyncio.create_task(book(citizen, 1))
            # The stopped program does not answer this either, so booking has timed out once by then.
            assert await citizen.forms() is None
            process.send_signal(signal.SIGCONT)
            booked = await asking
            await citizen.cancel(booked)
            found = await citizen.forms()
            await citizen.close()
            return list(found or ())

    assert [(form["code"], form["status"]) for form in asyncio.run(morning())] == [("A1", "5")]
