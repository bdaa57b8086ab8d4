"""When APScheduler asks for the bookings and has old ones deleted."""

from concurrent.futures import Future

from msgspec.structs import replace

from hub.chores import Chores
from hub.figures.visits import Visits
from hub.queue.answers import DoneAnswer
from hub.queue.requests import ForgetBookings
from hub.site import Appointments
from tests.queue.harness import moment, only, town


def chores_of(asked, commands, **settings):
    site = replace(town(), appointments=Appointments(**settings))

    def do(command):
        commands.append(command)
        future = Future()
        future.set_result(DoneAnswer(count=0))
        return future

    def ask_pass(*, all_of_it=False):
        asked.append(all_of_it)

    visits = Visits(None, site.name)
    return Chores(site=site, visits=visits, now_ms=lambda: moment("2026-11-24 00:30"), do=do, ask_pass=ask_pass)


def test_passes_are_asked_for_at_the_site_s_own_pace_and_a_full_one_each_night():
    asked = []
    chores = chores_of(asked, [], sync_every_s=45)
    jobs = {job.name: job for job in chores._scheduler.get_jobs()}
    changed, all_of_it = jobs["bookings that changed"], jobs["all bookings"]
    assert changed.trigger.interval.total_seconds() == 45
    assert "hour='3'" in str(all_of_it.trigger)
    for job in (changed, all_of_it):
        job.func(*job.args, **job.kwargs)
    assert asked == [False, True]


def test_bookings_are_forgotten_by_the_site_s_own_days():
    commands = []
    chores_of([], commands, kept_days=1).forget_bookings()
    chores_of([], commands, kept_days=0).forget_bookings()
    assert [command.day for command in commands if isinstance(command, ForgetBookings)] == ["2026-11-23", "2026-11-24"]
    assert only(commands[:1]).limit > 0
