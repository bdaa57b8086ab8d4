import json

import pytest

from protocol import messages
from protocol.messages import BadMessage, NodeRequest, Parser, encode

REQUEST: Parser[NodeRequest] = Parser(NodeRequest)
ASK = {"v": 1, "type": "ticket", "id": "01a21031-8a10-7e8e-a616-72430b72a20e", "service": "civil-status"}


@pytest.mark.parametrize("field", ["id", "service"])
def test_an_id_or_a_name_with_the_end_of_a_line_behind_it_is_none(field: str):
    REQUEST.parse(json.dumps(ASK).encode())
    with pytest.raises(BadMessage):
        REQUEST.parse(json.dumps(ASK | {field: f"{ASK[field]}\n"}).encode())


def test_a_message_without_its_version_is_of_version_1_and_one_of_another_version_is_refused():
    without = {name: value for name, value in ASK.items() if name != "v"}
    assert REQUEST.parse(json.dumps(without).encode()) == REQUEST.parse(json.dumps(ASK).encode())
    with pytest.raises(BadMessage, match=r"`\$\.v`"):
        REQUEST.parse(json.dumps(ASK | {"v": 2}).encode())


def kinds_below(kind: type) -> list[type]:
    return [each for child in kind.__subclasses__() for each in (child, *kinds_below(child))]


def test_every_message_is_sent_with_its_version():
    assert json.loads(encode(REQUEST.parse(json.dumps(ASK).encode())))["v"] == 1
    kinds = kinds_below(messages._Message)
    assert messages.HallState in kinds
    assert [kind for kind in kinds if kind.__struct_config__.omit_defaults or "v" not in kind.__struct_fields__] == []
