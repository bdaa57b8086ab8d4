"""Requests that no client library would send, byte by byte."""

import re
import select
import socket
from collections.abc import Iterable

LIMIT_S = 20
BETWEEN_DRIPS_S = 0.02


def send(port: int, pieces: Iterable[bytes]) -> bytes:
    """Everything that the server answers until it closes the connection, which may be before everything was sent."""
    with socket.create_connection(("127.0.0.1", port), LIMIT_S) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return read_all(connection)


def drip(port: int, start: bytes) -> bytes:
    """Send one byte after the other, without end, until the server closes; returns what it answered."""
    with socket.create_connection(("127.0.0.1", port), LIMIT_S) as connection:
        connection.sendall(start)
        return drip_on(connection)


def drip_on(connection: socket.socket) -> bytes:
    for _ in range(round(LIMIT_S / BETWEEN_DRIPS_S)):
        if select.select([connection], [], [], BETWEEN_DRIPS_S)[0]:
            break
        connection.sendall(b"x")
    return read_all(connection)


def read_answer(connection: socket.socket) -> bytes:
    """Read one whole answer, in however many pieces it comes; the connection stays open."""
    answer = b""
    while (rest := _missing(answer)) and (part := connection.recv(rest)):
        answer += part
    return answer


def _missing(answer: bytes) -> int:
    """How many bytes to read next: one by one to the end of the head, so that nothing after the body is read."""
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return 1
    (length,) = re.findall(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return int(length) - len(body)


def read_all(connection: socket.socket) -> bytes:
    """Read until the server closes. Raises TimeoutError if it never does."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])
