from prometheus_client.parser import text_string_to_metric_families

from hub.auth.people import Reason
from hub.database.faults import DiskFull
from hub.metrics import BadReason, Metrics, Outcome


def read(metrics: Metrics) -> dict[str, float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_commands_are_counted_by_kind_and_outcome() -> None:
    metrics = Metrics("0.1.0")
    metrics.command("next", Outcome.DONE, 0.004)
    metrics.command("next", Outcome.REFUSED, 0.002)
    metrics.refused("desk_not_open")
    metrics.batch(2, 0.003)
    found = read(metrics)
    assert found["suivant_commands_total next done"] == found["suivant_commands_total next refused"] == 1
    assert found["suivant_refused_total desk_not_open"] == 1
    assert found["suivant_batch_commands_sum"] == 2
    assert found["suivant_command_seconds_count"] == 2


def test_every_kind_of_bad_message_is_there_before_the_first_one_comes() -> None:
    metrics = Metrics("0.1.0")
    metrics.bad_message(BadReason.OVERSIZED)
    found = read(metrics)
    assert found["suivant_bad_messages_total oversized"] == 1
    assert all(f"suivant_bad_messages_total {reason}" in found for reason in BadReason)


def test_every_kind_of_database_error_is_there_before_the_first_one_comes() -> None:
    metrics = Metrics("0.1.0")
    metrics.database_error(DiskFull("suivant.db"))
    found = read(metrics)
    assert found["suivant_database_errors_total DiskFull"] == 1
    for kind in ("DatabaseFault", "DatabaseLocked", "DatabaseUnreachable", "FolderMissing"):
        assert found[f"suivant_database_errors_total {kind}"] == 0


def test_every_end_of_a_login_is_there_before_the_first_one_comes() -> None:
    found = read(Metrics("0.1.0"))
    assert {f"suivant_logins_total {result}" for result in ("directory", "local", *Reason)} <= found.keys()


def test_lengths_are_asked_for_when_somebody_reads() -> None:
    metrics = Metrics("0.1.0")
    queue = [1, 2, 3]
    metrics.watch_queue("people", lambda: len(queue))
    metrics.watch_outbox(lambda: 7)
    metrics.watch_readers(lambda: 5)
    queue.append(4)
    found = read(metrics)
    assert found["suivant_queue_commands people"] == 4
    assert (found["suivant_outbox_pictures"], found["suivant_live_readers"]) == (7, 5)


def test_states_are_shown_as_they_were_last_told() -> None:
    metrics = Metrics("0.1.0")
    metrics.broker_connected(True)
    metrics.broker_connected(False)
    metrics.waiting({"identity": 12})
    metrics.nodes_online({"display": 1})
    metrics.database_error(DiskFull("suivant.db"))
    metrics.request("/api/v1/desks/{desk}", 200, 0.01)
    metrics.published(0.002)
    metrics.reader_dropped()
    found = read(metrics)
    assert found["suivant_broker_connected"] == 0
    assert found["suivant_waiting_tickets identity"] == 12
    assert found["suivant_nodes_online display"] == 1
    assert found["suivant_database_errors_total DiskFull"] == 1
    assert found["suivant_http_requests_total /api/v1/desks/{desk} 200"] == 1
    assert found["suivant_publish_seconds_count"] == found["suivant_live_drops_total"] == 1
