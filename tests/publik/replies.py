"""Requests to the test Publik, and its answers before they are sent, correctly or with a fault."""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    kind: str = "application/json"
    location: str = ""


@dataclass(frozen=True)
class Request:
    """`query` has each parameter with all its values, including those of the signature."""

    method: str
    path: str
    query: dict
    body: bytes = b""
    json: bool = True

    def one(self, name, default=None):
        values = self.query.get(name)
        return values[-1] if values else default


def answer(value, status=200) -> Reply:
    return Reply(status, json.dumps(value, ensure_ascii=False).encode())


def refuse(request: Request, status, err_class, err_desc) -> Reply:
    """[code] JSON if it was asked for, else a page."""
    if not request.json:
        return page(status, err_desc)
    code = err_class.lower().replace(" ", "-")
    return answer({"err": 1, "err_class": err_class, "err_code": code, "err_desc": err_desc}, status)


def denied(request: Request, err_desc) -> Reply:
    """[code]"""
    return refuse(request, 403, "Access denied", err_desc)


def page(status, text) -> Reply:
    return Reply(status, f"<!DOCTYPE html><title>{text}</title><p>{text}</p>".encode(), "text/html; charset=utf-8")
