"""The API's OpenAPI document without a running hub."""

import json
from pathlib import Path
from typing import NoReturn

from hub.auth.gate import Gate
from hub.auth.sessions import Limits, SessionBook
from hub.config import read_site
from hub.database.engine import open_engine
from hub.web.app import create_web
from hub.web.parts import WebParts

EXAMPLE_SITE = Path(__file__).with_name("example-site.yaml")


def openapi() -> str:
    """The document as the hub serves it, as JSON; it does not depend on the site."""

    def nothing(*_asked: object) -> NoReturn:
        raise AssertionError("a description asks for nothing")

    site = read_site(EXAMPLE_SITE).site
    limits = Limits.of(site.login)
    parts = WebParts(
        site=site,
        reads=open_engine("sqlite://"),
        do=nothing,
        now_ms=nothing,
        new_id=nothing,
        health=nothing,
        metrics=nothing,
        mean_visit_ms=nothing,
        request_done=nothing,
        reader_dropped=nothing,
        broker_reached=nothing,
        list_state=nothing,
        push=nothing,
        gate=Gate(
            SessionBook(limits),
            log_in=nothing,
            admitted=nothing,
            refused=nothing,
            token=nothing,
            new_token=nothing,
            limits=limits,
        ),
    )
    return json.dumps(create_web(parts).openapi(), indent=2, ensure_ascii=False)
