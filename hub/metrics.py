"""What the hub measures, for `/metrics`; docs/metrics.md says what each metric is good for.

Every method may be called from any thread and returns at once. Labels have few values, all known in advance: never a
ticket, a request or an address.
"""

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from hub.auth.people import Reason
from hub.database.faults import kinds

# Creation times would add one line per series, and nobody reads them.
disable_created_metrics()  # type: ignore[no-untyped-call]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# A commit takes 0.2 to 10 ms on most disks; a page is slow from 0.3 s on.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
# Publik's forms are read over the internet, one after the other.
_LISTING_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_BATCH = (1, 2, 4, 8, 16, 32, 64)


class Outcome(StrEnum):
    """How a command ended."""

    DONE = "done"
    REFUSED = "refused"
    REPEATED = "repeated"
    FAILED = "failed"


class BadReason(StrEnum):
    """Why a message from the broker was not taken."""

    UNKNOWN_NODE = "unknown_node"
    UNKNOWN_SERVICE = "unknown_service"
    WRONG_SITE = "wrong_site"
    WRONG_TOPIC = "wrong_topic"
    WRONG_ROLE = "wrong_role"
    MALFORMED = "malformed"
    OVERSIZED = "oversized"
    OTHER_VERSION = "other_version"
    TOO_MANY = "too_many"
    GUESSING = "guessing"


class Metrics:
    """One set of counters; a test makes its own."""

    def __init__(self, version: str) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        Info("suivant", "the running version", registry=registry).info({"version": version})
        counter, gauge = partial(Counter, registry=registry), partial(Gauge, registry=registry)
        histogram = partial(Histogram, registry=registry)
        seconds = partial(histogram, buckets=_SECONDS)
        self._commands = counter("suivant_commands", "commands, by kind and outcome", ["kind", "outcome"])
        self._answer = seconds("suivant_command_seconds", "time from a command's queueing to its answer")
        self._refused = counter("suivant_refused", "refused commands, by reason", ["code"])
        self._bad = counter(
            "suivant_bad_messages", "messages from the broker that the hub dropped, by reason", ["reason"]
        )
        self._batch = histogram("suivant_batch_commands", "commands per transaction", buckets=_BATCH)
        self._commit = seconds("suivant_batch_seconds", "duration of a transaction with its commit")
        self._queue = gauge("suivant_queue_commands", "commands waiting for the writer", ["queue"])
        self._lag = seconds("suivant_publish_seconds", "time from the commit until the broker has the picture")
        self._outbox = gauge("suivant_outbox_pictures", "pictures waiting to be published")
        self._waiting = gauge("suivant_waiting_tickets", "waiting tickets, by service", ["service"])
        self._nodes = gauge("suivant_nodes_online", "nodes online, by role", ["role"])
        self._warnings = gauge("suivant_node_warnings", "online nodes that report this warning", ["warning"])
        self._broker = gauge(
            "suivant_broker_connected", "1 while the broker is connected and accepts what the hub publishes"
        )
        self._certificate = gauge(
            "suivant_broker_certificate_ends_seconds",
            "when the broker's certificate ends, in Unix time; NaN without TLS",
        )
        self._certificate.set(math.nan)
        self._ahead = gauge("suivant_clock_ahead_seconds", "how far the hub's clock is ahead of the system's")
        self._readers = gauge("suivant_live_readers", "pages connected by WebSocket")
        self._drops = counter("suivant_live_drops", "pages disconnected because they read too slowly")
        self._database = counter("suivant_database_errors", "database errors, by fault", ["fault"])
        self._requests = counter("suivant_http_requests", "HTTP requests, by route and status", ["route", "status"])
        self._request = seconds("suivant_http_request_seconds", "duration of an HTTP request")
        self._listings = counter(
            "suivant_listings", "requests to the source of bookings, by kind and outcome", ["asked", "outcome"]
        )
        self._listing = histogram(
            "suivant_listing_seconds",
            "time from a request to the source until all its bookings are in the queue",
            ["asked"],
            buckets=_LISTING_SECONDS,
        )
        self._changes = counter("suivant_booking_changes", "changes of bookings found in the source")
        self._bookings_age = gauge(
            "suivant_bookings_age_seconds", "age of the list of bookings; -1 before the first complete one"
        )
        self._flaws = gauge("suivant_bookings_flawed", "bookings that cannot be shown")
        self._told = counter(
            "suivant_reports", "reports to the source of bookings, by kind and outcome", ["kind", "outcome"]
        )
        self._failed = gauge("suivant_reports_failed", "reports that the source refused for good")
        self._logins = counter("suivant_logins", "logins, by result", ["result"])
        self._sessions = gauge("suivant_open_sessions", "open sessions")
        self._lookups = counter(
            "suivant_directory_lookups",
            "checks with the directory whether a logged-in person still has a role, by outcome",
            ["outcome"],
        )
        # Counters that exist from the start show even the first error as an increase.
        for reason in BadReason:
            self._bad.labels(reason)
        for result in ("directory", "local", *Reason):
            self._logins.labels(result)
        for fault in kinds():
            self._database.labels(fault.__name__)

    def text(self) -> bytes:
        """All metrics in Prometheus's text format, of CONTENT_TYPE."""
        return generate_latest(self.registry)

    def command(self, kind: str, outcome: Outcome, waited_s: float | None) -> None:
        """Counts a command that ended. `waited_s`: from the queue to the answer; None if nobody waited for it."""
        self._commands.labels(kind, outcome).inc()
        if waited_s is not None:
            self._answer.observe(waited_s)

    def refused(self, code: str) -> None:
        """`code`: that of a `hub.queue.refusals.Refusal`."""
        self._refused.labels(code).inc()

    def bad_message(self, reason: BadReason) -> None:
        self._bad.labels(reason).inc()

    def batch(self, commands: int, seconds: float) -> None:
        """Counts a committed transaction."""
        self._batch.observe(commands)
        self._commit.observe(seconds)

    def watch_queue(self, queue: str, length: Callable[[], int]) -> None:
        """`queue`: `people` or `jobs`; `length` is called whenever the metrics are read."""
        self._queue.labels(queue).set_function(length)

    def watch_outbox(self, length: Callable[[], int]) -> None:
        self._outbox.set_function(length)

    def watch_readers(self, count: Callable[[], int]) -> None:
        self._readers.set_function(count)

    def watch_clock(self, ahead_s: Callable[[], float]) -> None:
        """`ahead_s`: by how much the hub's clock is ahead of the system's."""
        self._ahead.set_function(ahead_s)

    def published(self, seconds: float) -> None:
        """Pictures were handed to the broker, `seconds` after the commit of what they show."""
        self._lag.observe(seconds)

    def waiting(self, counts: Mapping[str, int]) -> None:
        """The number of waiting tickets of each service."""
        for service, count in counts.items():
            self._waiting.labels(service).set(count)

    def nodes_online(self, counts: Mapping[str, int]) -> None:
        """The number of nodes online of each role."""
        for role, count in counts.items():
            self._nodes.labels(role).set(count)

    def node_warnings(self, counts: Mapping[str, int]) -> None:
        """How many nodes online give each warning: one of `protocol.messages.NodeWarning`, `stuck` or `other`."""
        for warning, count in counts.items():
            self._warnings.labels(warning).set(count)

    def broker_connected(self, connected: bool) -> None:
        self._broker.set(connected)

    def certificate_ends(self, at_s: int) -> None:
        """When the broker's certificate ends, in Unix time."""
        self._certificate.set(at_s)

    def reader_dropped(self) -> None:
        self._drops.inc()

    def database_error(self, fault: BaseException) -> None:
        """`fault`: from `hub.database.faults.fault_of`; counted by its class."""
        self._database.labels(type(fault).__name__).inc()

    def request(self, route: str, status: int, seconds: float) -> None:
        """`route`: the pattern (`/api/v1/desks/{desk}`), never the path itself."""
        self._requests.labels(route, str(status)).inc()
        self._request.observe(seconds)

    def listed(self, asked: str, outcome: str, seconds: float) -> None:
        """`asked`: one of `hub.appointments.pace.Ask`; `outcome`: `done`, `away`, `refused` or `failed`."""
        self._listings.labels(asked, outcome).inc()
        self._listing.labels(asked).observe(seconds)

    def booking_changes(self, count: int) -> None:
        self._changes.inc(count)

    def watch_bookings(self, age_s: Callable[[], float]) -> None:
        """`age_s` is called whenever the metrics are read."""
        self._bookings_age.set_function(age_s)

    def bookings(self, *, flaws: int, failed: int) -> None:
        self._flaws.set(flaws)
        self._failed.set(failed)

    def told(self, kind: str, outcome: str) -> None:
        """`kind`: one of `hub.queue.reports.ReportKind`; `outcome`: `done`, `away`, `refused` or `failed`."""
        self._told.labels(kind, outcome).inc()

    def login(self, result: str) -> None:
        """`result`: `directory` or `local` for a success, otherwise one of `hub.auth.people.Reason`."""
        self._logins.labels(result).inc()

    def watch_sessions(self, count: Callable[[], int]) -> None:
        self._sessions.set_function(count)

    def looked_up(self, outcome: str) -> None:
        """`outcome`: `known`, `gone` or `away`."""
        self._lookups.labels(outcome).inc()
