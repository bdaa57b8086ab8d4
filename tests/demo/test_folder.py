"""The folder that DEMO_DIR names: files in it that are not the demo's stay unchanged."""

import pytest

from demo.__main__ import DemoFailed, _own_folder


def files(folder):
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize(
    ("theirs", "named"),
    [
        ({"diary": "Monday"}, "diary"),
        ({"diary": "Monday", "lock": "of a door"}, "diary"),
        ({"logs/winter": "oak"}, "logs"),
        ({"people/anna": "a friend"}, "people"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, dict) else given,
)
def test_a_folder_that_is_not_of_a_demo_is_refused_and_left_as_it_was(tmp_path, theirs, named):
    for name, said in theirs.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(said)
    with pytest.raises(DemoFailed, match=rf"holds {named}, which no demo wrote"), _own_folder(tmp_path):
        pass
    assert files(tmp_path) == theirs


def test_a_demo_empties_what_an_earlier_one_left_but_for_its_accounts(tmp_path):
    with _own_folder(tmp_path):
        for name in ("logs", "people"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "kept").touch()
    with _own_folder(tmp_path):
        assert files(tmp_path).keys() == {"lock", "people/kept"}


def test_a_file_of_the_locks_name_is_never_emptied(tmp_path):
    (tmp_path / "lock").write_text("of a door")
    with _own_folder(tmp_path):
        assert files(tmp_path) == {"lock": "of a door"}
