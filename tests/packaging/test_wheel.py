from pathlib import Path
from zipfile import ZipFile

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def held(tmp_path_factory) -> set[str]:
    """The names of the files in a wheel built from this checkout."""
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")))
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


def files(pattern: str) -> set[str]:
    return {str(file.relative_to(ROOT)) for file in ROOT.glob(pattern) if file.is_file()}


@pytest.mark.parametrize(
    "pattern",
    [
        "hub/**/*.py",
        "nodes/**/*.py",
        "protocol/**/*.py",
        "hub/web/templates/**/*.html",
        "hub/web/static/**/*",
        "hub/database/migrations/**/*.py",
        "nodes/assets/**/*",
        "hub/web/locale/**/*.mo",
        "nodes/locale/**/*.mo",
    ],
)
def test_the_wheel_holds_what_the_programs_open(held, pattern):
    wanted = files(pattern)
    assert wanted, f"nothing matches {pattern}: was `make assets` run?"
    assert wanted <= held


@pytest.mark.parametrize(
    "name",
    [
        "hub/web/static/vendor/htmx.min.js",
        "hub/web/static/vendor/lexend-600.woff2",
        "hub/web/static/vendor/lexend-ext-600.woff2",
        "nodes/assets/fonts/Lexend-700.ttf",
        "nodes/assets/icons/wifi-off.png",
    ],
)
def test_the_wheel_holds_the_files_that_npm_brought(held, name):
    assert name in held


def test_every_catalogue_is_in_the_wheel_compiled(held):
    catalogues = files("hub/**/*.po") | files("nodes/**/*.po")
    assert {name.removesuffix(".po") + ".mo" for name in catalogues} <= held


def test_the_wheel_holds_nothing_but_the_three_packages(held):
    assert {name.split("/")[0] for name in held} == {"hub", "nodes", "protocol", "suivant-0.1.0.dist-info"}


def test_the_wheel_holds_the_licence_of_every_foreign_file(held):
    assert {
        "suivant-0.1.0.dist-info/licenses/LICENSE",
        "hub/web/static/vendor/htmx.LICENSE",
        "hub/web/static/vendor/lexend.LICENSE",
        "hub/web/static/icons/LICENSE",
        "nodes/assets/fonts/LICENSE",
        "nodes/assets/icons/LICENSE",
    } <= held
