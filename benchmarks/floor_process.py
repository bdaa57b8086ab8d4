"""The floor of a press: what the broker, TLS and the disk alone cost. `python -m benchmarks.floor_process`.

A message in, one durable commit of one row by the bare driver in paho's own callback, a message out.
"""

import os
import socket
import sqlite3
import sys
from collections.abc import Callable
from typing import Any

import psycopg
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from sqlalchemy import make_url

from protocol.link import read_broker_settings

ASKED = "bench/floor/asked"
SAID = "bench/floor/said"
NAME = "floor"


def committer(address: str, name: str) -> Callable[[bytes], None]:
    """A function that commits one row durably on its own connection; `name` is that of the file and the table."""
    url = make_url(address)
    connection: Any
    if url.get_backend_name() == "sqlite":
        connection = sqlite3.connect(f"{url.database}.{name}", isolation_level=None, check_same_thread=False)
        connection.execute("pragma journal_mode=wal")
        connection.execute("pragma synchronous=full")
        begin, insert = "begin immediate", f"insert into floor_{name} (payload) values (?)"  # noqa: S608
        connection.execute(f"create table if not exists floor_{name} (id integer primary key, payload text)")
    else:
        connection = psycopg.connect(url.set(drivername="postgresql").render_as_string(False), prepare_threshold=0)
        begin, insert = "", f"insert into floor_{name} (payload) values (%s)"  # noqa: S608
        connection.execute(f"create table if not exists floor_{name} (id bigserial primary key, payload text)")
        connection.commit()
    cursor = connection.cursor()

    def commit(payload: bytes) -> None:
        if begin:
            cursor.execute(begin)
        cursor.execute(insert, (payload.decode(),))
        connection.commit()

    return commit


def main() -> None:
    settings = read_broker_settings(os.environ)
    commit = committer(os.environ["SUIVANT_DATABASE_URL"], "mqtt")
    client = Client(CallbackAPIVersion.VERSION2, client_id=NAME, protocol=MQTTProtocolVersion.MQTTv5)
    client.tls_set(str(settings.ca_file), str(settings.cert_file), str(settings.key_file))
    client.on_socket_open = lambda _c, _d, opened: opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.on_connect = lambda client, *_: client.subscribe(ASKED, 1)

    def on_message(client: Client, _data: Any, message: Any) -> None:
        commit(message.payload)
        client.publish(SAID, message.payload, 1)

    client.on_message = on_message
    client.connect(settings.host, settings.port)
    client.loop_forever()


if __name__ == "__main__":
    sys.exit(main())
