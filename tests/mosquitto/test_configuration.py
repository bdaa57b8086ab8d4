import socket
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from provisioning.broker import (
    ACL_PLUGIN,
    BrokerPlan,
    TlsFiles,
    WrongTemplate,
    _chosen,
    acl,
    configuration,
    find_acl_plugin,
    installed_version,
)
from provisioning.certificates import write_site
from tests.broker import Broker, peer

PLUGIN = Path("/usr/lib/x86_64-linux-gnu/mosquitto/mosquitto_acl_file.so")
TLS = TlsFiles(ca=Path("/etc/ca.pem"), cert=Path("/etc/broker.pem"), key=Path("/etc/broker.key"))


def plan(**changes) -> BrokerPlan:
    return BrokerPlan(**({"site": "mairie", "port": 8883, "folder": Path("/srv/broker"), "tls": TLS} | changes))


def lines(**changes) -> list[str]:
    """Whole lines: the broker ignores a commented-out setting, and one that only begins alike is another setting."""
    return configuration(plan(**changes)).splitlines()


def test_a_broker_listens_on_this_machine_alone_unless_told():
    assert "listener 8883 127.0.0.1" in lines()
    assert "listener 8883 10.0.0.5" in lines(bind="10.0.0.5")


def test_a_broker_without_certificates_refuses_to_be_reached_from_elsewhere():
    with pytest.raises(ValueError, match=r"without TLS must not listen on 10.0.0.5"):
        plan(tls=None, bind="10.0.0.5")


def test_an_old_broker_is_refused_by_its_version():
    with pytest.raises(ValueError, match=r"mosquitto 1.6.9 is too old: 2.0.11 or newer is needed"):
        plan(version=(1, 6, 9))


def test_with_certificates_a_client_is_who_its_certificate_says():
    told = {"require_certificate true", "use_identity_as_username true", "use_username_as_clientid true"}
    assert told <= set(lines())
    assert "allow_anonymous true" not in lines()


def test_from_2_1_on_a_plugin_reads_the_acl():
    older, newer = lines(version=(2, 0, 21)), lines(version=(2, 1, 2), acl_plugin=PLUGIN)
    assert "acl_file /srv/broker/acl" in older
    assert not any(line.startswith("plugin") for line in older)
    assert {f"plugin {PLUGIN}", "plugin_opt_acl_file /srv/broker/acl"} <= set(newer)
    assert not any(line.startswith("acl_file") for line in newer)


@pytest.mark.parametrize("folder", ["usr/lib/aarch64-linux-gnu/mosquitto", "usr/lib", "usr/local/lib"])
def test_the_plugin_is_found_where_a_mosquitto_keeps_it(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"mosquitto_acl_file.so is in none of usr/lib.* include it"):
        find_acl_plugin(tmp_path)
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / ACL_PLUGIN).touch()
    assert find_acl_plugin(tmp_path) == tmp_path / folder / ACL_PLUGIN


def test_no_setting_is_used_that_a_later_mosquitto_drops():
    assert "per_listener_settings" not in configuration(plan(version=(2, 1, 2), acl_plugin=PLUGIN))


def test_delay_by_nagle_is_off_and_every_queue_has_an_end():
    assert {"set_tcp_nodelay true", "max_queued_messages 5000"} <= set(lines())


def test_the_acl_names_one_site():
    text = acl(plan(site="annexe"))
    assert "pattern write suivant/1/annexe/node/%u/request" in text.splitlines()
    assert "mairie" not in text


@pytest.mark.parametrize("lines", [["%if tls"], ["%else"], ["%end"], ["%if tls", "%if tls", "%end", "%end"]])
def test_a_block_that_is_not_whole_is_refused(lines):
    with pytest.raises(WrongTemplate):
        _chosen(lines, {"tls": True})


def test_the_broker_here_is_one_the_template_is_for():
    assert installed_version() >= (2, 0, 11)


def test_the_broker_starts_with_it_and_says_nothing_is_wrong(broker: Broker):
    with peer(broker):
        pass
    told = [line for line in broker.log().splitlines() if "Warning" in line or "Error" in line]
    # Patterns without a placeholder are intended: they hold for every node. Tests may run as root.
    meant = ("does not contain", "should not be run as root")
    assert [line for line in told if not any(each in line for each in meant)] == []


def test_the_broker_listens_nowhere_else(broker: Broker):
    """An option above its listener would open a second listener on every address."""
    assert listening(broker.pid) == {("127.0.0.1", broker.port)}


def listening(pid: int) -> set[tuple[str, int]]:
    """The addresses on which a process listens, from the kernel's own tables."""
    inodes = set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            inodes.add(str(each.readlink()))
    found: set[tuple[str, int]] = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                address, port = fields[1].split(":")
                found.add(
                    (socket.inet_ntoa(bytes.fromhex(address)[::-1]) if table == "tcp" else address, int(port, 16))
                )
    return found


def test_the_certificates_hold_before_the_clock_is_set(tls_broker: Broker):
    """A Pi without a clock boots with the date of its image."""
    shown = subprocess.run(
        ["openssl", "x509", "-noout", "-startdate", "-in", tls_broker.certificates["desk-1"].cert],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "2020" in shown


def test_a_private_key_is_for_its_owner_alone(tls_broker: Broker):
    assert tls_broker.certificates["desk-1"].key.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["hub", "broker", "ca"])
def test_no_nodes_certificate_takes_the_place_of_another(name, tmp_path):
    with pytest.raises(ValueError, match=f"a node cannot be called {name}"):
        write_site(tmp_path, ["desk-1", name], now=datetime.now(UTC))
    assert not list(tmp_path.iterdir())
