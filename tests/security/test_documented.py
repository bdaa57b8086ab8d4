"""What docs/security.md claims: the tests it names exist, and each requirement of ASVS 5.0, level 2, has an answer."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([a-z_]+/test_[a-z_]+\.py)::(test_\w+)`", TEXT)))
ANSWERS = {"yes", "partly", "no", "theirs", "none"}
# The number of requirements of levels 1 and 2 in each section of version 5.0.0; they count from 1, before level 3's.
SECTIONS = """
1.1: 2  1.2: 9  1.3: 11  1.4: 3  1.5: 2
2.1: 3  2.2: 3  2.3: 4  2.4: 1
3.2: 2  3.3: 4  3.4: 6  3.5: 5  3.7: 2
4.1: 3  4.2: 1  4.3: 2  4.4: 4
5.1: 1  5.2: 3  5.3: 2  5.4: 3
6.1: 3  6.2: 12  6.3: 4  6.4: 4  6.5: 5  6.6: 3  6.8: 4
7.1: 3  7.2: 4  7.3: 2  7.4: 5  7.5: 2  7.6: 2
8.1: 2  8.2: 3  8.3: 1  8.4: 1
9.1: 3  9.2: 4
10.1: 2  10.2: 2  10.3: 4  10.4: 11  10.5: 5  10.6: 2  10.7: 3
11.1: 2  11.2: 3  11.3: 3  11.4: 4  11.5: 1  11.6: 1
12.1: 3  12.2: 2  12.3: 4
13.1: 1  13.2: 5  13.3: 2  13.4: 5
14.1: 2  14.2: 4  14.3: 3
15.1: 3  15.2: 3  15.3: 7
16.1: 1  16.2: 5  16.3: 4  16.4: 3  16.5: 3
17.1: 1  17.2: 4  17.3: 2
"""


def rows() -> list[tuple[str, str, str]]:
    table = TEXT.partition("## OWASP ASVS")[2]
    return re.findall(r"^\| (\d[\d.–, ]*) \| (\w+) \| ?(.*?) ?\|$", table, re.MULTILINE)


def requirements(cell: str) -> list[str]:
    """List each requirement of a cell such as `7.2.1–7.2.4, 7.3.1`."""
    found = []
    for group in cell.split(", "):
        first, _, last = group.partition("–")
        section, _, number = first.rpartition(".")
        assert not last or last.rpartition(".")[0] == section, group
        found += [f"{section}.{each}" for each in range(int(number), int(last.rpartition(".")[2] or number) + 1)]
    return found


def test_every_test_that_the_document_names_is_there() -> None:
    assert len(NAMED) > 50
    for file, name in NAMED:
        source = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert re.search(rf"^(?:async )?def {name}\(", source, re.MULTILINE), f"{file}::{name}"


def test_every_file_of_attacks_is_named() -> None:
    named = {file for file, _ in NAMED}
    assert {f"security/{file.name}" for file in Path(__file__).parent.glob("test_*.py")} <= {
        *named,
        "security/test_documented.py",
    }


def test_each_requirement_has_one_answer() -> None:
    counts = re.findall(r"(\d+\.\d): (\d+)", SECTIONS)
    wanted = [f"{section}.{number}" for section, most in counts for number in range(1, int(most) + 1)]
    assert len(wanted) == 253
    answered = Counter(each for cell, _, _ in rows() for each in requirements(cell))
    assert set(wanted) - set(answered) == set()
    assert set(answered) - set(wanted) == set()
    assert [each for each, times in answered.items() if times > 1] == []


def test_what_does_not_hold_has_its_reason() -> None:
    for cell, answer, how in rows():
        assert answer in ANSWERS, cell
        assert how or answer in {"yes", "theirs"}, cell
