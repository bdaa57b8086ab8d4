"""Queues as in tests/queue: one database of each kind for all tests here, a site of its own for each."""

from tests.queue.conftest import new_queue, queue, shared_engine

__all__ = ["new_queue", "queue", "shared_engine"]
