"""Searching for names: which letters count as equal, and what begins a word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.web.name_search import folded, is_found


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Zoé EXEMPLE-Inventée", "zoe exemple inventee"),
        ("Anne d’Œuf", "anne d oeuf"),
        ("Łukasz Žižek-Ødegård", "lukasz zizek odegard"),
        ("Straße", "strasse"),
        ("İnci Işık", "inci isik"),
        ("Ｆｕｌｌ　Ｗｉｄｔｈ", "full width"),
        ("Анна Ёлкина", "анна елкина"),
        ("مُحَمَّد", "محمد"),
        ("נִסָּיוֹן", "נסיון"),
        ("例　太郎", "例 太郎"),
        ("Zoé 🎉 Exemple", "zoe exemple"),
        ("soft\u00adhyphen, zero\u200bwidth, \u202eturned", "softhyphen zerowidth turned"),
        ("  \t ", ""),
        ("<b>!</b>", "b b"),
    ],
)
def test_case_accents_hyphens_and_ornament_fold_away_in_any_script(name: str, plain: str) -> None:
    assert folded(name) == plain


@pytest.mark.parametrize(
    "asked",
    ["zoe", "exem", "INVENTÉE", "exemple-inventée", "exempleinv", "inv zo", "O'Zo", "ozo", "o’zoe", "z e i o"],
)
def test_each_word_that_is_asked_begins_a_word_of_the_name(asked: str) -> None:
    assert is_found(folded(asked), "O’Zoé Exemple-Inventée")


@pytest.mark.parametrize("asked", ["xemple", "zoe martin", "zoee", "inventée zoë x"])
def test_what_begins_no_word_is_not_found(asked: str) -> None:
    assert not is_found(folded(asked), "O’Zoé Exemple-Inventée")


@pytest.mark.parametrize(
    "name", ["محمد تجريبي", "例 太郎", "김철수", "Ольга Примерова", "हिन्दी उदाहरण", "Nguyễn Thị Ví Dụ"]
)
def test_a_name_of_any_script_is_found_by_itself_and_by_its_first_word(name: str) -> None:
    assert is_found(folded(name), name)
    assert is_found(folded(name.split(maxsplit=1)[0]), name)


@given(st.text(max_size=60))
def test_folding_twice_changes_nothing_and_every_name_is_found_by_itself(name: str) -> None:
    assert folded(folded(name)) == folded(name)
    assert is_found(folded(name), name)
