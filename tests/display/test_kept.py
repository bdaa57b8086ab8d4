"""What a display finds on its disk at its start."""

import pytest

from nodes.display.core import Kept
from nodes.display.kept import KeptFiles


@pytest.mark.parametrize("broken", [b"", b"[", b'["1764', b"{}", b"[1]", b'["1764-1\xe7"]', b"\xff\xfe", b"\0" * 64])
def test_ids_that_cannot_be_read_count_as_none(tmp_path, broken):
    (tmp_path / "played.json").write_bytes(broken)
    assert KeptFiles(tmp_path).load() == Kept()


def test_what_was_kept_is_there_at_the_next_start(tmp_path):
    KeptFiles(tmp_path).keep_played(("a", "b"))
    KeptFiles(tmp_path).keep_hall(b"a picture")
    assert KeptFiles(tmp_path).load() == Kept(hall=b"a picture", played=("a", "b"))
