"""Starts Debian's nginx on loopback with the project's example configuration, in front of a hub.

with start_nginx(folder, hub_port=served.port, port=free_port()) as nginx:
    with nginx.client() as browser:
"""

import os
import re
import signal
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from hub.reached import Reached, parse_proxies
from provisioning.certificates import Authority, PemFiles, write_pair
from tests.broker import free_port
from tests.listening import search_path, until_it_listens

EXAMPLE = Path(__file__).parents[1] / "provisioning" / "nginx.conf.example"
# Browsers resolve any name below localhost to this machine.
HOST, BASE = "accueil.localhost", "/suivant"
AT_THE_ROOT = """\
    location / {
        proxy_pass http://suivant_hub;
    }
"""
HERE, ALSO_HERE = "127.0.0.1", "127.0.0.2"
START_TIMEOUT_S = 20.0
ANSWER_LIMIT_S = 20.0
AROUND_IT = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
{user}
events {{ worker_connections 256; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/suivant.conf;
}}
"""


def filled_in(example: str, filling: dict[str, str]) -> str:
    """Fill in the example as an administrator does; asserts that each placeholder is in it."""
    for placeholder, value in filling.items():
        assert placeholder in example, placeholder
        example = example.replace(placeholder, value)
    return example


def under_a_path(example: str) -> str:
    """Put the commented-out lines for a path in place of the location above them."""
    assert example.count(AT_THE_ROOT) == 1
    return re.sub(r"^    #(?=location|    |})", "    ", example.replace(AT_THE_ROOT, ""), flags=re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports chosen before the hub starts: it must know the address by which browsers reach it."""

    tls: int
    plain: int
    base: str = BASE

    @property
    def reached(self) -> Reached:
        return Reached(origin=f"https://{HOST}:{self.tls}", path=self.base, proxies=parse_proxies(HERE))


def free_ports(base: str = BASE) -> Ports:
    return Ports(free_port(), free_port(), base)


@dataclass(slots=True)
class Nginx:
    folder: Path
    ports: Ports
    files: PemFiles
    _process: subprocess.Popen[bytes] | None = None

    @property
    def origin(self) -> str:
        return self.ports.reached.origin

    @property
    def access_log(self) -> str:
        return (self.folder / "access.log").read_text(encoding="utf-8")

    @property
    def error_log(self) -> str:
        return (self.folder / "error.log").read_text(encoding="utf-8")

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.files.ca)

    @contextmanager
    def client(self, *, source: str = HERE, **options: Any) -> Iterator[httpx.Client]:
        """A client that sends requests as the hub's own pages do, from the address `source`."""
        headers = {"Origin": self.origin}
        transport = _ToHere(self.trust(), source)
        options = {"headers": headers, "base_url": self.origin, "timeout": ANSWER_LIMIT_S} | options
        with httpx.Client(transport=transport, **options) as client:
            yield client

    def start(self) -> None:
        errors = self.folder / "error.log"
        command = ["nginx", "-e", str(errors), "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]
        with (self.folder / "nginx.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=search_path())
        until_it_listens(self._process, self.ports.tls, "nginx", (self.folder / "nginx.log").read_text, START_TIMEOUT_S)

    def stop(self) -> None:
        """Stop nginx with a signal: its master ends its workers only if it is asked to end."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(START_TIMEOUT_S)
            self._process = None


@contextmanager
def start_nginx(folder: Path, hub_port: int, ports: Ports) -> Iterator[Nginx]:
    folder.mkdir(parents=True, exist_ok=True)
    authority = Authority("Trois-Tilleuls", datetime.now(UTC))
    files = write_pair(folder, "proxy", authority, authority.server(HOST, (HOST,)))
    filling = {
        "127.0.0.1:8080": f"{HERE}:{hub_port}",
        "https://accueil.ville.example$request_uri": f"https://{HOST}:{ports.tls}$request_uri",
        "/etc/ssl/certs/accueil.ville.example.pem": str(files.cert),
        "/etc/ssl/private/accueil.ville.example.key": str(files.key),
        "accueil.ville.example": HOST,
        "/var/log/nginx/suivant.log": str(folder / "access.log"),
        # Not every machine has IPv6.
        "listen [::]:80": f"listen {ALSO_HERE}:{ports.plain}",
        "listen [::]:443": f"listen {ALSO_HERE}:{ports.tls}",
        "listen 80;": f"listen {HERE}:{ports.plain};",
        "listen 443 ssl": f"listen {HERE}:{ports.tls} ssl",
    }
    example = EXAMPLE.read_text(encoding="utf-8")
    chosen = under_a_path(example) if ports.base else example
    (folder / "suivant.conf").write_text(filled_in(chosen, filling), encoding="utf-8")
    # Nginx's usual user cannot read the folders of tests that run as root.
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(AROUND_IT.format(folder=folder, user=user), encoding="utf-8")
    nginx = Nginx(folder, ports, files)
    nginx.start()
    try:
        yield nginx
    finally:
        nginx.stop()


class _ToHere(httpx.BaseTransport):
    """Takes the public name for this machine, whatever the resolver says; the certificate must still have that name."""

    def __init__(self, trust: ssl.SSLContext, source: str) -> None:
        self._inner = httpx.HTTPTransport(verify=trust, local_address=source)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        extensions = {**request.extensions, "sni_hostname": request.url.host}
        there = httpx.Request(
            request.method,
            request.url.copy_with(host=HERE),
            headers=request.headers,
            stream=request.stream,
            extensions=extensions,
        )
        return self._inner.handle_request(there)

    def close(self) -> None:
        self._inner.close()
