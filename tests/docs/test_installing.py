"""What docs/installing.md has administrators copy."""

import re
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

from tests.docs.test_documented import settings

ROOT = Path(__file__).parents[2]
INSTALLING = (ROOT / "docs/installing.md").read_text(encoding="utf-8")
UNIT = (ROOT / "provisioning/suivant-hub.service").read_text(encoding="utf-8")


def test_the_program_for_the_broker_makes_its_configuration_and_everybodys_certificates(tmp_path: Path):
    [program] = re.findall(r"<<'END'\n(.*?)^END$", INSTALLING, re.DOTALL | re.MULTILINE)
    made, brokers = tmp_path / "made", tmp_path / "mosquitto"
    program = program.replace("/root/suivant-certificates", str(made)).replace("/etc/mosquitto/suivant", str(brokers))
    subprocess.run([sys.executable, "-"], input=program, text=True, cwd=ROOT, check=True)
    copied = re.findall(r"\$MADE/(\S+)", INSTALLING)
    assert copied
    assert [each for each in copied if not (made / each).is_file()] == []
    assert "require_certificate true" in (brokers / "mosquitto.conf").read_text(encoding="utf-8")


def test_every_setting_of_its_environment_file_is_one_of_the_hubs():
    named = set(re.findall(r"^(SUIVANT_\w+)=", INSTALLING, re.MULTILINE))
    assert named
    assert named <= settings()


def test_the_unit_stands_on_the_places_that_the_document_makes():
    unit = RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(UNIT)
    service = unit["Service"]
    assert service["ExecStart"] == "/opt/suivant/bin/suivant hub"
    assert service["StateDirectory"] == "suivant"
    for place in (service["EnvironmentFile"], "/opt/suivant/bin/pip", f"/var/lib/{service['StateDirectory']}"):
        assert place in INSTALLING
    assert f"adduser --system --group --home /var/lib/suivant --no-create-home {service['User']}" in INSTALLING
