import json

import pytest

from protocol.messages import BadMessage, NodeRequest, Parser

REQUEST: Parser[NodeRequest] = Parser(NodeRequest)
ASK = {"v": 1, "type": "ticket", "id": "01a21031-8a10-7e8e-a616-72430b72a20e", "service": "civil-status"}


@pytest.mark.parametrize("field", ["id", "service"])
def test_an_id_or_a_name_with_the_end_of_a_line_behind_it_is_none(field: str):
    REQUEST.parse(json.dumps(ASK).encode())
    with pytest.raises(BadMessage):
        REQUEST.parse(json.dumps(ASK | {field: f"{ASK[field]}\n"}).encode())
