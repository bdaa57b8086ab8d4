"""The queue fixtures of tests/queue, and a Publik and offices to test the appointments with."""

from contextlib import ExitStack

import pytest

from tests.appointments.office import Clock, Office, a_town, publik_of, publik_source, with_forms
from tests.queue.conftest import new_queue, queue, shared_engine

__all__ = ["new_queue", "queue", "shared_engine"]


@pytest.fixture
def quick(monkeypatch):
    """Make the worker look often and retry soon, so that tests do not wait."""
    monkeypatch.setattr("hub.appointments.worker.LOOK_S", 0.02)
    monkeypatch.setattr("hub.appointments.pace.HINT_SETTLES_S", 0.01)
    monkeypatch.setattr("hub.backoff.FIRST_S", 0.05)
    monkeypatch.setattr("hub.backoff.MOST_S", 0.2)


@pytest.fixture
def clock():
    """A clock that starts on a Tuesday at ten."""
    return Clock()


@pytest.fixture
def publik(clock):
    with publik_of(clock) as made:
        yield made


@pytest.fixture
def new_office(quick, shared_engine, clock, publik):
    """Makes offices that have done their first pass. Keywords change the form; each positional dict adds another."""
    with ExitStack() as stack:

        def new(*others, **otherwise):
            site = with_forms(a_town(publik.address), *others, **otherwise)
            made = Office(shared_engine, site, clock, lambda: publik_source(site, clock)).start()
            stack.callback(made.close)
            made.eventually(lambda: made.passes() == 1)
            return made

        yield new


@pytest.fixture
def office(new_office):
    return new_office()
