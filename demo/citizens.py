"""Plays the script of the appointments: citizens book, move and cancel in Publik, and scan at the dispenser."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from demo.bookings import STRAY_CODE, STRAY_S, Citizen, Doing, citizens
from demo.hall import Hall, read_forms
from demo.publik import Publik
from demo.stage import APPOINTMENTS_FILE

Scan = Callable[[str], None]


async def play_bookings(dice: Random, speed: int, hall: Hall, publik: Publik, scan: Scan) -> None:
    """Play the script until cancelled."""
    began = datetime.now(ZoneInfo(hall.zone))
    minute = began.replace(second=0, microsecond=0)
    begins_s = (began - minute).total_seconds()
    appointments = Appointments(hall, minute, time.monotonic() - begins_s, publik, scan)
    async with asyncio.TaskGroup() as people:
        people.create_task(appointments.stray(begins_s + STRAY_S / speed))
        for citizen in citizens(dice, speed, begins_s):
            await appointments.until(citizen.booked_s)
            people.create_task(appointments.play(citizen))


class Appointments:
    """Plays citizens. `minute`: the whole minute from which the script counts; `zero_s`: the same, monotonic."""

    def __init__(self, hall: Hall, minute: datetime, zero_s: float, publik: Publik, scan: Scan) -> None:
        self._minute = minute
        self._zero_s = zero_s
        self._publik = publik
        self._scan = scan
        letters = {service.name: service.letter for service in hall.services}
        self._forms = {letters[service]: form for form, service in read_forms(APPOINTMENTS_FILE).items()}

    async def play(self, citizen: Citizen) -> None:
        booked = await self._publik.book(
            self._forms[citizen.letter],
            self._at(citizen.start_min),
            code=citizen.code,
            first_name=citizen.first_name,
            last_name=citizen.last_name,
        )
        for step in citizen.steps:
            await self.until(step.at_s)
            match step.doing:
                case Doing.SCAN:
                    self._scan(citizen.code)
                case Doing.MOVE:
                    await self._publik.move(booked, self._at(step.to_min))
                case Doing.CANCEL:
                    await self._publik.cancel(booked)

    async def stray(self, at_s: float) -> None:
        """Somebody scans something that is not a confirmation."""
        await self.until(at_s)
        self._scan(STRAY_CODE)

    async def until(self, at_s: float) -> None:
        await asyncio.sleep(self._zero_s + at_s - time.monotonic())

    def _at(self, start_min: int) -> str:
        # Added in UTC: in the night of a clock change, local minutes would be wrong.
        moment = (self._minute.astimezone(UTC) + timedelta(minutes=start_min)).astimezone(self._minute.tzinfo)
        return moment.strftime("%Y-%m-%d %H:%M")
