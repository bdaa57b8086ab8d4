import re
from pathlib import Path

import pytest

from hub.database.engine import open_engine, sqlite_file
from hub.settings import described_settings, read_settings
from protocol.environment import WrongSetting


def test_nothing_need_be_set() -> None:
    settings = read_settings({})
    assert settings.database_url == "sqlite:///suivant.db"
    assert (settings.hub.http_host, settings.hub.http_port) == ("127.0.0.1", 8080)
    assert settings.broker.port == 1883


def test_the_database_stands_in_the_state_folder_unless_it_is_named() -> None:
    assert (
        read_settings({"SUIVANT_STATE_DIR": "/var/lib/suivant"}).database_url == "sqlite:////var/lib/suivant/suivant.db"
    )
    named = {"SUIVANT_STATE_DIR": "/var/lib/suivant", "SUIVANT_DATABASE_URL": "postgresql://suivant@/suivant"}
    assert read_settings(named).database_url == "postgresql://suivant@/suivant"


@pytest.mark.parametrize("name", ["what?", "100%25", "Données d'état", "a@b:c"])
def test_the_state_folder_may_have_any_name(name: str, tmp_path: Path) -> None:
    engine = open_engine(read_settings({"SUIVANT_STATE_DIR": str(tmp_path / name)}).database_url)
    assert sqlite_file(engine) == tmp_path / name / "suivant.db"


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("SUIVANT_HTTP_PORT", "70000", "SUIVANT_HTTP_PORT is '70000': it should be a whole number from 0 to 65535"),
        (
            "SUIVANT_HTTP_HOST",
            "0.0.0.0",
            "SUIVANT_HTTP_HOST is '0.0.0.0': it should be 127.0.0.1: passwords are sent there",
        ),
        ("SUIVANT_HTTP_HOST", "mairie.example", "SUIVANT_HTTP_HOST is 'mairie.example': it should be 127.0.0.1"),
        ("SUIVANT_LOG", "xml", "SUIVANT_LOG is 'xml': it should be one of auto, console, json"),
        ("SUIVANT_BROKER_PORT", "mqtt", "SUIVANT_BROKER_PORT is 'mqtt': it should be a whole number from 1 to 65535"),
    ],
)
def test_a_wrong_setting_names_variable_value_and_what_would_be_right(variable: str, value: str, told: str) -> None:
    with pytest.raises(WrongSetting, match=re.escape(told)):
        read_settings({variable: value})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_this_machine_may_be_named_in_several_ways(host: str) -> None:
    assert read_settings({"SUIVANT_HTTP_HOST": host}).hub.http_host == host


PROXIED = {"SUIVANT_PUBLIC_URL": "https://accueil.ville.example/suivant/", "SUIVANT_TRUSTED_PROXIES": "127.0.0.1"}


def test_behind_a_proxy_the_public_address_is_read_in_its_parts() -> None:
    reached = read_settings(PROXIED).reached
    assert (reached.origin, reached.path, reached.by_tls) == ("https://accueil.ville.example", "/suivant", True)
    assert (reached.is_proxy("127.0.0.1"), reached.is_proxy("127.0.0.2"), reached.is_proxy("")) == (True, False, False)
    assert read_settings({**PROXIED, "SUIVANT_HTTP_HOST": "0.0.0.0"}).hub.http_host == "0.0.0.0"


def test_a_proxy_of_ipv4_may_be_named_in_the_clothes_of_ipv6() -> None:
    reached = read_settings({**PROXIED, "SUIVANT_TRUSTED_PROXIES": "::ffff:127.0.0.1, ::ffff:10.0.0.0/124"}).reached
    who = ("127.0.0.1", "::ffff:127.0.0.1", "10.0.0.15", "127.0.0.2", "10.0.0.16")
    assert [reached.is_proxy(each) for each in who] == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Accueil.Ville.example:443", "https://accueil.ville.example"),
        ("https://accueil.ville.example:8443/", "https://accueil.ville.example:8443"),
        ("https://[2001:db8::1]", "https://[2001:db8::1]"),
        ("https://[2001:DB8::0:1]", "https://[2001:db8::1]"),
        ("https://192.0.2.7", "https://192.0.2.7"),
        ("https://File.Saint-Étienne.example", "https://file.xn--saint-tienne-geb.example"),
        ("https://file.saint-e\u0301tienne.example", "https://file.xn--saint-tienne-geb.example"),
        ("https://file.xn--saint-tienne-geb.example", "https://file.xn--saint-tienne-geb.example"),
        ("http://localhost:8080", "http://localhost:8080"),
    ],
)
def test_the_origin_is_written_as_browsers_write_it(url: str, origin: str) -> None:
    assert read_settings({**PROXIED, "SUIVANT_PUBLIC_URL": url}).reached.origin == origin


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("SUIVANT_PUBLIC_URL", "accueil.ville.example", "an address such as https://accueil.ville.example"),
        (
            "SUIVANT_PUBLIC_URL",
            "http://accueil.ville.example",
            "passwords are sent there, so it must begin with https://",
        ),
        ("SUIVANT_PUBLIC_URL", "https://", "an address such as"),
        ("SUIVANT_PUBLIC_URL", "https://accueil.ville.example:x", "an address such as"),
        ("SUIVANT_PUBLIC_URL", "https://accueil.ville.example:0", "an address such as"),
        ("SUIVANT_PUBLIC_URL", "https://a b.example", "an address such as"),
        ("SUIVANT_PUBLIC_URL", "https://ville..example", "an address such as"),
        ("SUIVANT_PUBLIC_URL", f"https://{'x' * 64}.example", "an address such as"),
        ("SUIVANT_PUBLIC_URL", "https://[fe80::1%25eth0]", "an address such as"),
        (
            "SUIVANT_PUBLIC_URL",
            "https://straße.example",
            "an address with its host name as browsers send it, beginning with xn--",
        ),
        ("SUIVANT_PUBLIC_URL", "https://a@accueil.ville.example", "an address such as"),
        ("SUIVANT_PUBLIC_URL", "https://accueil.ville.example/a/../b", "an address such as"),
        ("SUIVANT_PUBLIC_URL", 'https://accueil.ville.example/"x', "an address such as"),
        ("SUIVANT_PUBLIC_URL", "https://accueil.ville.example/?x", "an address such as"),
        ("SUIVANT_PUBLIC_URL", "", "SUIVANT_PUBLIC_URL is not set"),
        ("SUIVANT_TRUSTED_PROXIES", "", "SUIVANT_TRUSTED_PROXIES is not set: it should be the proxy's address"),
        ("SUIVANT_TRUSTED_PROXIES", "proxy.ville.example", "addresses or networks separated by commas"),
        ("SUIVANT_TRUSTED_PROXIES", "0.0.0.0/0", "contains every machine"),
        ("SUIVANT_TRUSTED_PROXIES", "::ffff:0:0/96", "contains every machine"),
    ],
)
def test_a_wrong_public_address_or_proxy_says_what_would_be_right(variable: str, value: str, told: str) -> None:
    with pytest.raises(WrongSetting, match=re.escape(told)):
        read_settings({**PROXIED, variable: value})


def test_the_password_of_the_database_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("se@cret/\n", encoding="utf-8")
    environ = {
        "SUIVANT_DATABASE_URL": "postgresql://suivant@db.example/suivant",
        "SUIVANT_DATABASE_PASSWORD_FILE": str(file),
    }
    assert read_settings(environ).database_url == "postgresql://suivant:se%40cret%2F@db.example/suivant"
    file.unlink()
    with pytest.raises(WrongSetting, match=r"SUIVANT_DATABASE_PASSWORD_FILE .* but there is no such file"):
        read_settings(environ)


def test_an_address_that_cannot_be_read_is_left_to_who_opens_it_though_its_password_has_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("secret\n", encoding="utf-8")
    for address in ("suivant@db.example", "postgresql://suivant@db.example:port/suivant"):
        environ = {"SUIVANT_DATABASE_URL": address, "SUIVANT_DATABASE_PASSWORD_FILE": str(file)}
        assert read_settings(environ).database_url == address


def test_every_setting_says_what_it_means() -> None:
    for each in described_settings():
        assert each.meaning, each.variable
