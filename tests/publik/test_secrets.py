"""Key and password are read from their files, and never shown."""

import io
import logging
from pathlib import Path

import pytest
import structlog

from hub.logs import configure
from hub.publik.secrets import Secrets
from hub.settings import HubSettings, publik_secrets, read_settings
from protocol.environment import WrongSetting
from tests.publik.conftest import FORM, Opened
from tests.publik.server import KEY, PASSWORD, TestPublik


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    for name, text in (("key", f"{KEY}\r\nnot this"), ("password", "mot de passe é\n")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return {
        "SUIVANT_PUBLIK_KEY_FILE": str(tmp_path / "key"),
        "SUIVANT_PUBLIK_PASSWORD_FILE": str(tmp_path / "password"),
        "SUIVANT_PUBLIK_CA_FILE": str(tmp_path / "ca.pem"),
    }


def test_the_first_line_of_each_file_is_read(files: dict[str, str], tmp_path: Path):
    secrets = read_settings(files).publik
    assert secrets == Secrets(KEY.encode(), "mot de passe é", tmp_path / "ca.pem")


def test_a_proxy_is_named_by_its_address_alone(files: dict[str, str]):
    files["SUIVANT_PUBLIK_PROXY"] = "http://proxy.example:3128"
    assert read_settings(files).publik.proxy == "http://proxy.example:3128"
    for wrong in ("proxy.example:3128", "http://user:word@proxy.example:3128", "https://proxy.example:3128/"):
        files["SUIVANT_PUBLIK_PROXY"] = wrong
        with pytest.raises(WrongSetting, match="it should be an address without a password") as told:
            read_settings(files)
        assert "word@" not in str(told.value)


def test_without_files_there_are_none():
    assert publik_secrets(HubSettings()) == Secrets()


@pytest.mark.parametrize(
    ("kept", "why"),
    [
        (None, "a text file that the hub's user can read, but there is no such file"),
        ("folder", "a text file that the hub's user can read, but this is a folder"),
        (b"\xff\xfe", "a text file that the hub's user can read, but this one is not UTF-8"),
        (b"\nkey", "a file whose first line is the secret, but that line is empty"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_one_plain_sentence(files: dict[str, str], tmp_path: Path, kept, why):
    file = tmp_path / "other"
    if kept == "folder":
        file.mkdir()
    elif kept is not None:
        file.write_bytes(kept)
    files["SUIVANT_PUBLIK_KEY_FILE"] = str(file)
    with pytest.raises(WrongSetting) as wrong:
        read_settings(files)
    assert str(wrong.value) == f"SUIVANT_PUBLIK_KEY_FILE is '{file}': it should be {why}"


def test_settings_that_are_printed_show_neither(files: dict[str, str]):
    shown = repr(read_settings(files))
    assert KEY not in shown
    assert "mot de passe" not in shown


@pytest.mark.parametrize("login", ["signature", "basic"])
def test_no_log_of_a_call_holds_a_secret_a_query_or_a_name(publik: TestPublik, opened: Opened, login: str):
    publik.town.book(FORM, "2026-11-25 10:00")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    written = io.StringIO()
    configure("json", "debug", written)
    try:
        assert opened(login=login).list_all("2026-11-25", "2026-11-25").bookings
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()
    for hidden in (KEY, PASSWORD, "signature=", "Basic", "nonce", "Exemple"):
        assert hidden not in written.getvalue()
