"""The queue fixtures of tests/queue: all tests here share one database of each kind; each queue has its own site."""

from tests.queue.conftest import new_queue, queue, shared_engine

__all__ = ["new_queue", "queue", "shared_engine"]
