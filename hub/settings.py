"""Every setting of the hub: its variable, its default, its meaning. The site is described in the site file."""

import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from msgspec import Meta, Struct
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from hub.auth.ldap_secrets import LdapSecrets
from hub.publik.secrets import Secrets
from hub.reached import ON_THIS_MACHINE, Reached, is_loopback, parse_proxies, parse_public_url
from protocol.environment import PREFIX, Described, WrongSetting, describe, read, unread
from protocol.link import BROKER_PREFIX, BrokerSettings, read_broker_settings

T = TypeVar("T")


class HubSettings(Struct, frozen=True, kw_only=True):
    """What the hub reads from the environment, except the broker's part."""

    site_file: Annotated[Path, Meta(description="the site file: halls, services, desks, nodes")] = Path("site.yaml")
    state_dir: Annotated[
        Path, Meta(description="folder of the SQLite database, unless SUIVANT_DATABASE_URL is set")
    ] = Path()
    database_url: Annotated[
        str | None,
        Meta(
            description="the database; if not set, suivant.db in the state folder",
            extra={"secret": True, "wanted": "sqlite:///path/to/file or postgresql://user@host/name"},
        ),
    ] = None
    database_password_file: Annotated[
        Path | None, Meta(description="file whose first line is the database's password")
    ] = None
    publik_key_file: Annotated[
        Path | None,
        Meta(description="file whose first line is the Publik API client's key, which signs calls in both directions"),
    ] = None
    publik_password_file: Annotated[
        Path | None,
        Meta(description="file whose first line is the Publik API client's password, if the site file says basic"),
    ] = None
    publik_ca_file: Annotated[
        Path | None,
        Meta(description="PEM file of the authority that signed Publik's certificate, if the system lacks it"),
    ] = None
    publik_proxy: Annotated[
        Annotated[str, Meta(pattern=r"^http://[^\s@/?#]+:[0-9]{1,5}\Z")] | None,
        Meta(
            description="HTTP proxy through which the hub reaches Publik",
            # Secret, because somebody may try an address with a password in it.
            extra={"secret": True, "wanted": "an address without a password: http://proxy.example:3128"},
        ),
    ] = None
    ldap_password_file: Annotated[
        Path | None, Meta(description="file whose first line is the password of the directory's service account")
    ] = None
    ldap_ca_file: Annotated[
        Path | None,
        Meta(description="PEM file of the authority that signed the directory's certificate, if the system lacks it"),
    ] = None
    http_host: Annotated[
        str,
        Meta(description="address on which the hub serves pages and API; other than this machine's only with a proxy"),
    ] = "127.0.0.1"
    http_port: Annotated[
        int, Meta(ge=0, le=65535, description="TCP port of the pages and the API; with 0, any free port")
    ] = 8080
    public_url: Annotated[
        str | None,
        Meta(
            description="the hub's address for browsers, behind a proxy; if not set, only this machine reaches the hub"
        ),
    ] = None
    trusted_proxies: Annotated[
        str | None,
        Meta(
            description="addresses or networks of the proxies whose X-Forwarded-For the hub trusts, separated by commas"
        ),
    ] = None
    log: Annotated[
        Literal["auto", "json", "console"],
        Meta(description="format of the log on standard error; auto: console on a terminal, otherwise json"),
    ] = "auto"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="the lowest level that is logged")
    ] = "info"


class Settings(Struct, frozen=True, kw_only=True):
    """All settings of the hub. `database_url` is complete: it contains the password if there is one."""

    hub: HubSettings
    broker: BrokerSettings
    database_url: str
    publik: Secrets = Secrets()
    ldap: LdapSecrets = LdapSecrets()
    reached: Reached = ON_THIS_MACHINE


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Reads all settings. Raises WrongSetting, which names the variable, its value and what would be right."""
    hub = read_hub_settings(environ)
    return Settings(
        hub=hub,
        broker=read_broker_settings(environ),
        database_url=database_url(hub),
        publik=publik_secrets(hub),
        ldap=ldap_secrets(hub),
        reached=reached(hub),
    )


def read_hub_settings(environ: Mapping[str, str]) -> HubSettings:
    """The same without the broker's part, for commands that need no broker."""
    hub = read(HubSettings, environ)
    reached(hub)
    return hub


def database_url(settings: HubSettings) -> str:
    """The database's address with its password, read from its file. Raises WrongSetting."""
    if settings.database_url is None:
        return URL.create("sqlite", database=str(settings.state_dir / "suivant.db")).render_as_string()
    file = settings.database_password_file
    if file is None:
        return settings.database_url
    password = _secret_in("DATABASE_PASSWORD_FILE", file)
    try:
        url = make_url(settings.database_url).set(password=password)
    except (ArgumentError, ValueError):
        return settings.database_url  # opening it says what is wrong
    return url.render_as_string(hide_password=False)


def publik_secrets(settings: HubSettings) -> Secrets:
    """Reads Publik's key and password from their files. Raises WrongSetting."""
    key_file, password_file = settings.publik_key_file, settings.publik_password_file
    return Secrets(
        key=_secret_in("PUBLIK_KEY_FILE", key_file).encode() if key_file else b"",
        password=_secret_in("PUBLIK_PASSWORD_FILE", password_file) if password_file else "",
        ca_file=settings.publik_ca_file,
        proxy=settings.publik_proxy or "",
    )


def ldap_secrets(settings: HubSettings) -> LdapSecrets:
    """Reads the service account's password from its file. Raises WrongSetting."""
    file = settings.ldap_password_file
    return LdapSecrets(password=_secret_in("LDAP_PASSWORD_FILE", file) if file else "", ca_file=settings.ldap_ca_file)


def secret_files(settings: Settings) -> list[Path]:
    """The files that hold a password or a key, of those that are set."""
    hub = settings.hub
    passwords = (hub.database_password_file, hub.publik_key_file, hub.publik_password_file, hub.ldap_password_file)
    return [each for each in (*passwords, settings.broker.key_file) if each is not None]


def may_be_read_by_others(file: Path) -> bool:
    """Whether anybody on this machine may read the file; its group's rights are its owner's choice."""
    try:
        return bool(file.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False  # whoever reads it reports why


def first_line(file: Path) -> str:
    """The first line of a text file, which holds a secret. Raises OSError or UnicodeDecodeError."""
    # Not splitlines(), which also splits at characters that a password may contain.
    return file.read_text(encoding="utf-8-sig").partition("\n")[0]


def _secret_in(name: str, file: Path) -> str:
    try:
        line = first_line(file)
    except (OSError, UnicodeDecodeError) as error:
        wanted = f"a text file that the hub's user can read, but {unread(error)}"
        raise WrongSetting(f"{PREFIX}{name}", str(file), wanted) from None
    if not line:
        raise WrongSetting(
            f"{PREFIX}{name}", str(file), "a file whose first line is the secret, but that line is empty"
        )
    return line


def described_settings() -> Iterator[Described]:
    """What the hub reads, for the help and the documents."""
    yield from describe(HubSettings)
    yield from describe(BrokerSettings, prefix=BROKER_PREFIX)


def reached(settings: HubSettings) -> Reached:
    """Where browsers find the hub. Raises WrongSetting."""
    address, named = settings.public_url, settings.trusted_proxies
    if address is None and named is None:
        _refuse_other_machines(settings.http_host)
        return ON_THIS_MACHINE
    if address is None:
        raise WrongSetting(f"{PREFIX}PUBLIC_URL", None, "the address at which browsers reach the proxy")
    if named is None:
        raise WrongSetting(
            f"{PREFIX}TRUSTED_PROXIES", None, "the proxy's address: 127.0.0.1 if it runs on this machine"
        )
    proxies = _parsed("TRUSTED_PROXIES", named, parse_proxies)
    origin, path = _parsed("PUBLIC_URL", address, parse_public_url)
    return Reached(origin=origin, path=path, proxies=proxies)


def _parsed(name: str, text: str, parse: Callable[[str], T]) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise WrongSetting(f"{PREFIX}{name}", text, str(error)) from None


def _refuse_other_machines(host: str) -> None:
    if is_loopback(host):
        return
    wanted = (
        "127.0.0.1: passwords are sent there unencrypted, so other machines must come through a proxy with TLS, which "
        "SUIVANT_PUBLIC_URL names"
    )
    raise WrongSetting(f"{PREFIX}HTTP_HOST", host, wanted)
