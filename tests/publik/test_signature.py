"""Signatures as Publik makes and checks them."""

import base64
import hashlib
import hmac
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.publik.signature import SignatureRefused, TooManyCalls, Verifier, sign
from tests.publik import signing

KEY = b"secret"
AT_MS = 1_795_510_800_000  # 2026-11-24T09:00:00Z
NONCE = "0123456789abcdef0123456789abcdef"
PEER = "demarches.example.fr"


def signed(*parameters: tuple[str, str], key: bytes = KEY, algo: str = "sha256") -> bytes:
    query = urlencode(parameters)
    digest = hmac.new(key, query.encode(), getattr(hashlib, algo)).digest()
    return f"{query}&signature={quote(base64.b64encode(digest))}".encode()


def stamp(second: int = 0) -> tuple[str, str]:
    return "timestamp", f"2026-11-24T09:00:{second:02d}Z"


ORIG, ALGO = ("orig", PEER), ("algo", "sha256")


def refusal(query: bytes, now_ms: int = AT_MS, verifier: Verifier | None = None) -> str:
    with pytest.raises(SignatureRefused) as refused:
        (verifier or Verifier({PEER: KEY})).verify(query, now_ms)
    return str(refused.value)


def test_the_worked_example_is_signed_byte_for_byte():
    query = sign([], key=KEY, client="suivant.example.fr", now_ms=AT_MS, nonce=NONCE)
    assert query == (
        "orig=suivant.example.fr&algo=sha256&timestamp=2026-11-24T09%3A00%3A00Z&nonce=0123456789abcdef0123456789abcdef"
        "&signature=vwBIPO1NwPv0K66M6tn%2FB19y2r43V49W%2BpmFr9XaNWw%3D"
    )


@given(
    st.lists(st.tuples(st.text("abcdef-", min_size=1), st.text())),
    st.binary(min_size=1, max_size=80),
    st.integers(0, 29_999),
)
def test_what_the_hub_signs_both_verifiers_accept(parameters, key, late_ms):
    query = sign(parameters, key=key, client=PEER, now_ms=AT_MS, nonce=NONCE)
    found = Verifier({PEER: key}).verify(query.encode(), AT_MS + late_ms)
    assert found[: len(parameters)] == parameters


@given(st.lists(st.tuples(st.text("abcdef-", min_size=1), st.text(st.characters(codec="utf-8")))))
def test_the_test_publik_accepts_what_the_hub_signs(parameters):
    query = sign(parameters, key=KEY, client=PEER, now_ms=AT_MS, nonce=NONCE)
    signing.check(query, {PEER: KEY.decode()}, signing.Nonces(), AT_MS / 1000)


def test_the_hub_accepts_what_the_test_publik_signs_with_its_slashes_left_as_they_are():
    for second in range(20):
        url = signing.signed_url("https://hub/push?a=b%20c", orig=PEER, key="secret", now_s=AT_MS / 1000 + second)
        found = Verifier({PEER: KEY}).verify(url.partition("?")[2].encode(), AT_MS + second * 1000)
        assert found[0] == ("a", "b c")


@given(st.data(), st.integers(0, 255))
def test_no_signed_byte_may_change(data, value):
    query = bytearray(signed(ORIG, ALGO, stamp(), ("nonce", NONCE), ("booking", "12")))
    place = data.draw(st.integers(0, query.index(b"&signature=") - 1))
    if query[place] == value:
        return
    query[place] = value
    with pytest.raises(SignatureRefused):
        Verifier({PEER: KEY}).verify(bytes(query), AT_MS)


@pytest.mark.parametrize("off_ms", [-30_000, 0, 30_000])
def test_half_a_minute_either_way_is_accepted(off_ms: int):
    assert Verifier({PEER: KEY}).verify(signed(ORIG, ALGO, stamp()), AT_MS + off_ms)


@pytest.mark.parametrize("off_ms", [-30_001, 30_001, 86_400_000])
def test_more_than_half_a_minute_is_refused(off_ms: int):
    assert (
        refusal(signed(ORIG, ALGO, stamp()), AT_MS + off_ms)
        == "the timestamp and the hub's clock differ by more than 30 s"
    )


@pytest.mark.parametrize(
    ("query", "why"),
    [
        (signed(ORIG, ALGO, stamp(), key=b"another"), "the signature does not match the query and the key"),
        (signed(("orig", "other.example.fr"), ALGO, stamp()), "the hub has no key for this orig"),
        (signed(ALGO, stamp()), "the query has no orig"),
        (signed(ORIG, stamp()), "the query has no algo"),
        (signed(ORIG, ALGO), "the query has no timestamp"),
        (signed(ORIG, ORIG, ALGO, stamp()), "the query has more than one orig"),
        (signed(ORIG, ALGO, ALGO, stamp()), "the query has more than one algo"),
        (signed(ORIG, ALGO, stamp(), stamp()), "the query has more than one timestamp"),
        (signed(ORIG, ALGO, stamp(), ("nonce", "a"), ("nonce", "b")), "the query has more than one nonce"),
        (
            signed(ORIG, ("algo", "md5"), stamp(), algo="md5"),
            "algo must be one of sha256, sha384, sha3_256, sha3_384, sha3_512, sha512",
        ),
        (
            signed(ORIG, ("algo", "sha1"), stamp(), algo="sha1"),
            "algo must be one of sha256, sha384, sha3_256, sha3_384, sha3_512, sha512",
        ),
        (
            signed(ORIG, ("algo", "new"), stamp()),
            "algo must be one of sha256, sha384, sha3_256, sha3_384, sha3_512, sha512",
        ),
        (
            signed(ORIG, ALGO, ("timestamp", "2026-11-24 09:00")),
            "the timestamp is not a time in UTC such as 2026-11-24T09:00:00Z",
        ),
        (
            signed(ORIG, ALGO, ("timestamp", "2026-11-24T09:00:00.5Z")),
            "the timestamp is not a time in UTC such as 2026-11-24T09:00:00Z",
        ),
        (signed(ORIG, ALGO, stamp(), ("nonce", "n" * 129)), "the nonce is longer than 128 characters"),
        (signed(ORIG, ALGO, stamp()) + b"&booking=12", "the query must have one signature, as its last parameter"),
        (signed(ORIG, ALGO, stamp()) + b"&signature=x", "the query must have one signature, as its last parameter"),
        (urlencode([ORIG, ALGO, stamp()]).encode(), "the query must have one signature, as its last parameter"),
        (b"signature=x", "the query must have one signature, as its last parameter"),
        (b"", "the query must have one signature, as its last parameter"),
        (b"&signature=", "the query has no orig"),
        (b"orig=\xff&signature=", "the query cannot be parsed"),
        (b"x=" + b"y" * 8_192, "the query is longer than 8192 bytes"),
    ],
)
def test_what_is_not_signed_as_it_should_be_is_refused_and_says_why(query: bytes, why: str):
    assert refusal(query) == why


@pytest.mark.parametrize("algo", ["sha256", "sha384", "sha512", "sha3_256"])
def test_other_sound_algorithms_are_accepted(algo: str):
    assert Verifier({PEER: KEY}).verify(signed(ORIG, ("algo", algo), stamp(), algo=algo), AT_MS)


def test_an_empty_key_lets_nobody_in():
    assert (
        refusal(signed(ORIG, ALGO, stamp(), key=b""), verifier=Verifier({PEER: b""}))
        == "the hub has no key for this orig"
    )


def test_a_call_is_accepted_once_and_never_again():
    verifier = Verifier({PEER: KEY})
    query = signed(ORIG, ALGO, stamp(30), ("nonce", NONCE))
    verifier.verify(query, AT_MS)
    # The nonce is remembered until its timestamp is no longer valid.
    assert (
        refusal(query, AT_MS + 1, verifier) == "the hub has already accepted this call, or another with the same nonce"
    )
    assert (
        refusal(query, AT_MS + 60_000, verifier)
        == "the hub has already accepted this call, or another with the same nonce"
    )
    assert refusal(query, AT_MS + 60_001, verifier) == "the timestamp and the hub's clock differ by more than 30 s"


def test_a_call_without_a_nonce_is_accepted_once_too():
    verifier = Verifier({PEER: KEY})
    verifier.verify(signed(ORIG, ALGO, stamp()), AT_MS)
    assert (
        refusal(signed(ORIG, ALGO, stamp()), AT_MS, verifier)
        == "the hub has already accepted this call, or another with the same nonce"
    )


def test_a_signature_written_in_another_way_is_no_other_call():
    verifier = Verifier({PEER: KEY})
    query = signed(ORIG, ALGO, stamp(), ("booking", "3"))
    assert b"%2B" in query
    verifier.verify(query, AT_MS)
    assert (
        refusal(query.replace(b"%2B", b"%2b"), AT_MS, verifier)
        == "the hub has already accepted this call, or another with the same nonce"
    )


def test_a_wrong_signature_uses_up_no_nonce():
    verifier = Verifier({PEER: KEY})
    refusal(signed(ORIG, ALGO, stamp(), ("nonce", NONCE), key=b"another"), verifier=verifier)
    assert verifier.verify(signed(ORIG, ALGO, stamp(), ("nonce", NONCE)), AT_MS)


def test_nonces_are_bounded_and_make_room_again_once_they_are_old():
    verifier = Verifier({PEER: KEY}, nonces_most=3)
    for number in range(3):
        verifier.verify(signed(ORIG, ALGO, stamp(), ("nonce", str(number))), AT_MS)
    with pytest.raises(TooManyCalls):
        verifier.verify(signed(ORIG, ALGO, stamp(), ("nonce", "3")), AT_MS)
    assert verifier.verify(signed(ORIG, ALGO, stamp(40), ("nonce", "3")), AT_MS + 30_001)
