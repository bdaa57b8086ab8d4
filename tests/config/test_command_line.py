"""`suivant` as an operator uses it: errors give a sentence and an exit status, never a traceback."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command as alembic

from hub.__main__ import main
from hub.database.engine import first_generation, open_driver_connection, open_engine
from hub.database.lock import hold_site
from hub.database.migration import config, head


@pytest.fixture(autouse=True)
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_help_reads_well_and_names_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["hub", "--help"], ["config", "--help"], ["database", "upgrade", "--help"]):
        with pytest.raises(SystemExit, match="0"):
            main(arguments)
    said = capsys.readouterr().out
    for words in (
        "suivant config check site.yaml",
        "SUIVANT_DATABASE_URL",
        "  SUIVANT_SITE_FILE  a path (default: site.yaml)\n      the site file: halls, services, desks, nodes\n",
        "  SUIVANT_PUBLIK_KEY_FILE  a path (optional)\n",
        "SUIVANT_BROKER_CA_FILE",
        "starts without the broker too",
    ):
        assert words in said
    assert all(len(line) <= 120 for line in said.splitlines())


@pytest.mark.parametrize(
    ("command", "told"),
    [([], "suivant config check site.yaml"), (["config"], "check a site file"), (["admin"], "end")],
)
def test_without_a_command_the_help_is_shown_with_status_2(
    capsys: pytest.CaptureFixture[str], command: list[str], told: str
) -> None:
    assert main(command) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"usage: {' '.join(['suivant', *command])} ")
    assert told in said.err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out.startswith("suivant 0.")


def test_a_right_site_file_is_said_to_be_right(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["config", "example"]) == 0
    file = tmp_path / "site.yaml"
    file.write_text(capsys.readouterr().out, encoding="utf-8")
    assert main(["config", "check", str(file)]) == 0
    assert capsys.readouterr().out == f"{file} is valid: site town-hall with 2 halls, 3 services, 3 desks, 6 nodes.\n"


def test_a_wrong_site_file_is_told_line_by_line_with_status_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["config", "example"])
    file = tmp_path / "site.yaml"
    wrong = capsys.readouterr().out.replace("letter: A", "letter: Q").replace("number: 2", "number: 1")
    file.write_text(wrong, encoding="utf-8")
    monkeypatch.setenv("SUIVANT_SITE_FILE", str(file))
    assert main(["config", "check"]) == 1
    said = capsys.readouterr()
    assert [line.split(": ")[1] for line in said.out.splitlines()] == [
        "services.civil-status.letter",
        "desks.desk-2.number",
    ]
    assert said.err == f"suivant: {file} has 2 errors\n"


@pytest.mark.parametrize(
    ("named", "told"),
    [
        (None, "there is no site.yaml in this folder: set SUIVANT_SITE_FILE to the path of the site file"),
        ("no/where.yaml", "no/where.yaml, which SUIVANT_SITE_FILE names, does not exist"),
    ],
)
def test_a_site_file_that_is_not_there_is_asked_for_in_a_sentence(
    named: str | None, told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if named:
        monkeypatch.setenv("SUIVANT_SITE_FILE", named)
    for command, status in ((["config", "check"], 1), (["publik", "check"], 2), (["admin", "list"], 2)):
        assert main(command) == status
        assert capsys.readouterr() == ("", f"suivant: {told}\n")


@pytest.mark.parametrize("command", [["config", "check"], ["publik", "check"]])
def test_a_missing_site_file_that_the_command_names_is_not_laid_on_the_setting(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUIVANT_SITE_FILE", "another.yaml")
    assert main([*command, "no/where.yaml"]) != 0
    assert capsys.readouterr() == ("", "suivant: no/where.yaml does not exist\n")


def test_a_database_on_which_no_hub_ran_was_not_put_back(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["database", "upgrade"]) == 0
    capsys.readouterr()
    assert main(["database", "restored"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("suivant: no hub has ever run on the database ")
    assert "so it is not a restored backup: " in said.err
    assert said.err.endswith("set SUIVANT_STATE_DIR, which is not set here, to the hub's state folder\n")
    monkeypatch.setenv("SUIVANT_DATABASE_URL", "sqlite:///suivant.db")
    assert main(["database", "restored"]) == 1
    assert capsys.readouterr().err.endswith("correct SUIVANT_DATABASE_URL\n")


def test_a_database_is_made_checked_and_restored(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["database", "check"]) == 1
    assert "suivant.db does not exist" in capsys.readouterr().err
    assert not (tmp_path / "suivant.db").exists()
    assert main(["database", "upgrade"]) == 0
    assert capsys.readouterr().out.endswith(f"suivant.db is at revision {head()}, as this version needs it.\n")
    assert main(["database", "check"]) == 0
    engine = open_engine("sqlite:///suivant.db")
    first_generation(engine, "mairie", 1)
    assert main(["database", "restored"]) == 0
    assert first_generation(engine, "mairie", 2) > 1_000_000
    assert capsys.readouterr().out.endswith("1 site will update every node.\n")
    engine.dispose()


def test_a_database_is_copied_while_a_hub_works_on_it_and_nothing_is_overwritten(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["database", "backup", "copy.db"]) == 1
    assert "suivant.db does not exist" in capsys.readouterr().err
    assert main(["database", "upgrade"]) == 0
    engine = open_engine("sqlite:///suivant.db")
    first_generation(engine, "mairie", 1)
    lock = hold_site(engine, "mairie")
    writing = open_driver_connection(engine)
    writing.execute("begin immediate")
    writing.execute("update site set generation_ms = 2")
    assert main(["database", "backup", "copy.db"]) == 0
    writing.execute("commit")
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    copy = open_engine("sqlite:///copy.db")
    assert first_generation(copy, "mairie", 3) == 1, "what was committed, and no more"
    copy.dispose()
    capsys.readouterr()
    assert main(["database", "backup", "copy.db"]) == 1
    assert "copy.db exists already, and is not overwritten: choose another name" in capsys.readouterr().err
    assert main(["database", "restored"]) == 1
    assert "another hub already serves site mairie" in capsys.readouterr().err
    lock.release()
    assert main(["database", "restored"]) == 0
    writing.close()
    engine.dispose()


def test_tables_are_not_changed_under_a_hub_of_the_version_before(capsys: pytest.CaptureFixture[str]) -> None:
    engine = open_engine("sqlite:///suivant.db")
    with engine.execution_options(write=True).begin() as connection:
        alembic.upgrade(config(connection), "0002")
    first_generation(engine, "mairie", 1)
    lock = hold_site(engine, "mairie")
    assert main(["database", "upgrade"]) == 1
    assert "are of an earlier version, and a hub is running on it, site mairie" in capsys.readouterr().err
    lock.release()
    assert main(["database", "upgrade"]) == 0
    lock = hold_site(engine, "mairie")
    assert main(["database", "upgrade"]) == 0, "there is nothing to change"
    lock.release()
    engine.dispose()


def test_a_copy_that_cannot_be_made_says_why(
    capsys: pytest.CaptureFixture[str], postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["database", "upgrade"]) == 0
    assert main(["database", "backup", "not/there.db"]) == 1
    assert "there.db cannot be created (No such file or directory)" in capsys.readouterr().err
    monkeypatch.setenv("SUIVANT_DATABASE_URL", postgresql_url)
    assert main(["database", "backup", "copy.db"]) == 1
    assert "copy a PostgreSQL database with pg_dump" in capsys.readouterr().err
    monkeypatch.setenv("SUIVANT_DATABASE_URL", "sqlite://")
    assert main(["database", "backup", "copy.db"]) == 1
    assert (
        "the database :memory: was not copied: it exists only in the memory of the program that opened it"
        in capsys.readouterr().err
    )


def test_the_openapi_document_is_printed_without_a_running_hub(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["openapi"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["openapi"].startswith("3.")
    assert "/api/v1/desks/{desk}" in document["paths"]


@pytest.mark.parametrize("command", [["openapi"], ["config", "example"]])
def test_nothing_is_said_to_who_reads_no_more_of_what_is_printed(command: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run([sys.executable, "-m", "hub", *command], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (128 + signal.SIGPIPE, b"")
