from hub.follow_codes import ALPHABET, LENGTH, follow_code


def test_a_follow_code_has_its_length_and_every_sign_in_every_place():
    codes = [follow_code() for _ in range(2_000)]
    assert len(set(codes)) == len(codes)
    assert {len(code) for code in codes} == {LENGTH}
    # With 2,000 draws, one of the 27 characters is missing at a position once in 10^30 runs.
    assert all({code[place] for code in codes} == set(ALPHABET) for place in range(LENGTH))
