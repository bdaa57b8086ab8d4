"""The blocks that administrators copy from the two documents on installing."""

import re
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest

from hub.__main__ import WRONG_START_STATUS
from hub.config import read_site
from hub.serve import FILE_REPLACED_STATUS
from nodes.__main__ import WRONG_SETTING_STATUS
from tests.docs.test_documented import settings

ROOT = Path(__file__).parents[2]
INSTALLING = (ROOT / "docs/installing.md").read_text(encoding="utf-8")
INSTALLING_A_NODE = (ROOT / "docs/installing-a-node.md").read_text(encoding="utf-8")


def test_the_program_for_the_broker_makes_its_configuration_and_everybodys_certificates(tmp_path: Path):
    [program] = re.findall(r"<<'END'\n(.*?)^END$", INSTALLING, re.DOTALL | re.MULTILINE)
    made, brokers = tmp_path / "made", tmp_path / "mosquitto"
    site_file = ROOT / "hub/example-site.yaml"
    for place, here in {
        "/root/suivant-certificates": made,
        "/etc/mosquitto/suivant": brokers,
        "/etc/suivant/site.yaml": site_file,
    }.items():
        program = program.replace(place, str(here))
    subprocess.run([sys.executable, "-"], input=program, text=True, cwd=ROOT, check=True)
    site = read_site(site_file).site
    assert [node.name for node in site.nodes if not (made / f"{node.name}.pem").is_file()] == []
    assert f"suivant/1/{site.name}/#" in (brokers / "acl").read_text(encoding="utf-8")
    copied = re.findall(r"\$MADE/(\S+)", INSTALLING)
    assert copied
    assert [each for each in copied if not (made / each).is_file()] == []
    assert "require_certificate true" in (brokers / "mosquitto.conf").read_text(encoding="utf-8")


def test_the_brokers_unit_has_room_for_all_connections_that_its_configuration_allows():
    template = (ROOT / "mosquitto/mosquitto.conf.in").read_text(encoding="utf-8")
    [most] = re.findall(r"^max_connections (\d+)$", template, re.MULTILINE)
    [room] = re.findall(r"^LimitNOFILE=(\d+)$", INSTALLING, re.MULTILINE)
    assert int(room) > int(most)


@pytest.mark.parametrize("document", [INSTALLING, INSTALLING_A_NODE])
def test_every_setting_of_an_environment_file_is_one_of_ours(document: str):
    named = set(re.findall(r"^(SUIVANT_\w+)=", document, re.MULTILINE))
    assert named
    assert named <= settings()


def test_a_nodes_upgrade_installs_the_new_wheel_and_meets_no_other_one(tmp_path: Path):
    lines = re.findall(r"^    (.*suivant-\*\.whl)$", INSTALLING_A_NODE, re.MULTILINE)
    pip = "sudo /opt/suivant-node/bin/pip install --force-reinstall --no-deps"
    for wheel in ("suivant-0.1.0-py3-none-any.whl", "suivant-0.2.0-py3-none-any.whl"):
        (tmp_path / wheel).touch()
        typed = "\n".join(lines).replace(pip, "printf '%s '")
        done = subprocess.run(["sh", "-ec", typed], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stdout == f"{wheel} "


def service_of(unit: str) -> dict[str, str]:
    parsed = RawConfigParser(strict=False)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read_string((ROOT / "provisioning" / unit).read_text(encoding="utf-8"))
    return dict(parsed["Unit"]) | dict(parsed["Service"])


@pytest.mark.parametrize(
    ("document", "unit", "command"),
    [
        (INSTALLING, "suivant-hub.service", "/opt/suivant/bin/suivant hub"),
        (INSTALLING_A_NODE, "suivant-node@.service", "/opt/suivant-node/bin/suivant-node %i"),
    ],
)
def test_a_unit_stands_on_the_places_that_its_document_makes(document: str, unit: str, command: str):
    service = service_of(unit)
    assert service["ExecStart"] == command
    state_dir = f"/var/lib/{service['StateDirectory']}"
    for place in (unit, service["EnvironmentFile"], str(Path(command.partition(" ")[0]).with_name("pip")), state_dir):
        assert place in document
    assert f"adduser --system --group --home {state_dir} --no-create-home {service['User']}" in document


def test_the_hubs_unit_waits_for_its_word_however_long_an_upgrade_takes():
    service = service_of("suivant-hub.service")
    assert (service["Type"], service["TimeoutStartSec"]) == ("notify", "infinity")
    assert WRONG_START_STATUS == FILE_REPLACED_STATUS == int(service["RestartPreventExitStatus"])


def test_the_hubs_unit_starts_after_the_clock_is_set_on_a_machine_that_waits_for_a_time_server():
    assert "time-sync.target" in service_of("suivant-hub.service")["After"].split()
    assert "systemctl enable systemd-time-wait-sync" in INSTALLING


def test_a_nodes_unit_closes_no_device_to_it_and_waits_for_its_word():
    service = service_of("suivant-node@.service")
    # Each of these leaves only systemd's own list of devices, which has no pin, screen or printer.
    assert not {"PrivateDevices", "ProtectClock", "DevicePolicy", "DeviceAllow"} & service.keys()
    assert (service["Type"], service["RestartPreventExitStatus"]) == ("notify", str(WRONG_SETTING_STATUS))


def test_the_displays_own_part_goes_where_its_unit_looks():
    assert (
        "suivant-node@display.conf /etc/systemd/system/suivant-node@display.service.d/screen.conf" in INSTALLING_A_NODE
    )
    assert service_of("suivant-node@display.conf")["TTYPath"] == "/dev/tty1"
