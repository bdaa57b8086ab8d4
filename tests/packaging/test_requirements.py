import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
LISTS = sorted((ROOT / "requirements").glob("*.txt"))


def plain(requirement: str) -> str:
    """The name alone, normalised as a package index does."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement.strip(), maxsplit=1)[0]).lower()


def pins(list_: Path) -> dict[str, set[str]]:
    """The versions that a list pins, by name; a name has two if they depend on the version of Python."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==(\S+)", list_.read_text(encoding="utf-8"), re.MULTILINE):
        found.setdefault(plain(name), set()).add(version)
    return found


def test_there_is_a_list_for_each_extra():
    assert {file.stem for file in LISTS} == set(EXTRAS)


@pytest.mark.parametrize("list_", LISTS, ids=lambda file: file.stem)
def test_a_list_pins_all_that_the_project_asks_for_there(list_):
    asked = PROJECT["dependencies"] + EXTRAS[list_.stem]
    assert {plain(one) for one in asked} <= pins(list_).keys()


@pytest.mark.parametrize("list_", LISTS, ids=lambda file: file.stem)
def test_every_pin_has_a_hash(list_):
    requirements = list_.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    assert requirements
    assert all("==" in line and "--hash=sha256:" in line for line in requirements)


@pytest.mark.parametrize("list_", LISTS, ids=lambda file: file.stem)
def test_a_program_runs_the_versions_that_were_tested(list_):
    tested = pins(ROOT / "requirements/dev.txt")
    assert {name: versions - tested.get(name, set()) for name, versions in pins(list_).items()} == {
        name: set() for name in pins(list_)
    }


def test_no_list_names_a_registry():
    for file in [*LISTS, ROOT / "package-lock.json", ROOT / ".npmrc"]:
        # The addresses for donations to authors are no registries.
        text = re.sub(r'"funding": \{[^}]*\}', "", file.read_text(encoding="utf-8"))
        assert "://" not in text, f"{file.name} names an address"


# A stub of uv: it lists the town's own registry unless that is forbidden, and a constraint must be an existing file.
UV = """\
#!/bin/sh
case " $* " in *" --no-emit-index-url "*) ;; *) echo "--index-url https://registry.example/simple" ;; esac
case " $* " in *" --no-emit-find-links "*) ;; *) echo "--find-links https://wheels.example" ;; esac
for word in "$@"; do case $word in */dev.txt) cat "$word" ;; esac; done
printf '%s\n' "$*" | grep -o -e '--extra [a-z-]*' | sed "s/--extra \\(.*\\)/\\1==1 ; sys_platform == 'linux'/"
"""
UV_THAT_FAILS_AT_HUB = UV + 'case " $* " in *" --constraint "*"/dev.txt "*) exit 1 ;; esac\n'


def pin_anew(town: Path, uv: str) -> subprocess.CompletedProcess[str]:
    """Run the script in a project whose lists are in `town`."""
    (town / "provisioning").mkdir()
    shutil.copy(ROOT / "provisioning/pin-requirements", town / "provisioning")
    (town / "requirements").mkdir()
    for list_ in ("dev", "hub"):
        (town / f"requirements/{list_}.txt").write_text("before\n", encoding="utf-8")
    (town / "uv").write_text(uv, encoding="utf-8")
    (town / "uv").chmod(0o755)
    return subprocess.run(
        [town / "provisioning/pin-requirements", town / "uv", "hub"], capture_output=True, text=True, check=False
    )


def lists_of(town: Path) -> dict[str, str]:
    return {file.name: file.read_text(encoding="utf-8") for file in (town / "requirements").iterdir()}


def test_lists_that_are_pinned_anew_name_no_registry(tmp_path):
    assert pin_anew(tmp_path, UV).returncode == 0
    assert lists_of(tmp_path) == {"dev.txt": "hub==1\ndev==1\n", "hub.txt": "hub==1\ndev==1\nhub==1\n"}


@pytest.mark.parametrize("uv", ["#!/bin/sh\nexit 1\n", UV_THAT_FAILS_AT_HUB], ids=["at once", "at the second"])
def test_no_list_changes_where_not_all_of_them_can_be_pinned(uv, tmp_path):
    assert pin_anew(tmp_path, uv).returncode == 1
    assert lists_of(tmp_path) == {"dev.txt": "before\n", "hub.txt": "before\n"}


def test_a_button_needs_no_database_and_a_hub_no_screen():
    assert not {"sqlalchemy", "fastapi", "pygame"} & pins(ROOT / "requirements/desk-button.txt").keys()
    assert not {"pygame", "gpiozero", "python-escpos"} & pins(ROOT / "requirements/hub.txt").keys()


@pytest.mark.parametrize("role", ["display", "ticket-printer"])
def test_a_node_that_tells_local_time_brings_the_zones_of_the_world(role):
    sources = (ROOT / "nodes" / role.replace("-", "_")).rglob("*.py")
    assert any("ZoneInfo" in source.read_text(encoding="utf-8") for source in sources)
    assert "tzdata" in map(plain, EXTRAS[role])
    assert "tzdata" in pins(ROOT / f"requirements/{role}.txt")


NODES = ("desk-button", "display", "ticket-printer")
# Which extras' packages the code of a folder may import; towns never run the programs that may import all.
IMPORTERS = {"protocol": (), "hub": ("hub",), "nodes": NODES} | dict.fromkeys(
    ("demo", "provisioning", "benchmarks", "tests"), tuple(EXTRAS)
)


@cache
def distributions() -> Mapping[str, list[str]]:
    """For each module that can be imported here, the names of the packages that brought it."""
    return packages_distributions()


def imported(file: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    plainly = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    from_it = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return {name.partition(".")[0] for name in (*plainly, *from_it)} - sys.stdlib_module_names - IMPORTERS.keys()


@pytest.mark.parametrize("importer", IMPORTERS)
def test_what_is_imported_is_asked_for_and_not_left_to_another_package_to_bring(importer):
    asked = {plain(one) for one in PROJECT["dependencies"]}
    asked |= {plain(one) for extra in IMPORTERS[importer] for one in EXTRAS[extra]}
    modules = set().union(*map(imported, (ROOT / importer).rglob("*.py")))
    assert modules
    assert {each for each in modules if not asked & {plain(name) for name in distributions()[each]}} == set()


def test_every_dependency_and_no_other_package_is_documented_with_its_reason_and_licence():
    rows = [row.split("|") for row in (ROOT / "docs/dependencies.md").read_text(encoding="utf-8").splitlines()]
    told = {
        name.split()[0] for row in rows if len(row) > 4 for name in row[1].split(",") if all(map(str.strip, row[1:-1]))
    }
    asked = [*PROJECT["dependencies"], *(one for extra in EXTRAS.values() for one in extra)]
    of_npm = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["dependencies"]
    heads = {"package", "---"}
    assert told - heads == {*map(plain, asked), *of_npm}


def test_the_npm_lock_pins_what_package_json_asks_for_with_hashes():
    asked = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["dependencies"]
    locked = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    del locked[""]
    assert {name.removeprefix("node_modules/"): entry["version"] for name, entry in locked.items()} == asked
    assert all(entry["integrity"].startswith("sha512-") for entry in locked.values())
