"""A sample is drawn by the keys alone: the same again, as large as asked for, and part of every larger one."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from ludb.model.keys import key_bytes
from ludb.service.selection import Selection, in_sample, share_of

SHARES = st.decimals("0.01", "100", places=2)
KEYS = [key_bytes((number,)) for number in range(5_000)]


@settings(deadline=None)
@given(share=SHARES, seed=st.integers(-(2**40), 2**40))
def test_a_sample_has_about_its_share_of_the_units(share, seed):
    kept = sum(in_sample(key, share, seed) for key in KEYS)
    expected = len(KEYS) * float(share) / 100
    # Seven standard deviations: a draw this far off would be no chance (8 for tiny shares).
    assert abs(kept - expected) <= 7 * (expected * (1 - float(share) / 100)) ** 0.5 + 8


@given(key=st.binary(), one=SHARES, two=SHARES, seed=st.integers(-5, 5))
def test_a_unit_in_a_sample_is_in_it_again_and_in_every_larger_one(key, one, two, seed):
    small, large = sorted([one, two])
    assert in_sample(key, small, seed) == in_sample(key, small, seed)
    assert in_sample(key, large, seed) or not in_sample(key, small, seed)
    assert in_sample(key, Decimal(100), seed)


def test_seeds_draw_different_samples_and_name_different_instances():
    drawn = [{key for key in KEYS if in_sample(key, Decimal(10), seed)} for seed in (0, 1)]
    assert len(drawn[0] & drawn[1]) < len(drawn[0]) / 5
    assert Selection(sample="10.0 %").suffix(["id"]) == "[sample=10%]"
    assert Selection(sample="10%", seed=1).suffix(["id"]) == "[sample=10%/1]"


@given(share=SHARES)
def test_a_share_is_read_as_it_is_typed(share):
    assert share_of(f" {share}% ") == share


@given(one=st.text(max_size=80), two=st.text(max_size=80))
def test_different_conditions_never_share_an_instance(one, two):
    texts = [Selection(where=text).suffix(["id"]) for text in (one, two)]
    assert (texts[0] == texts[1]) == (one == two)
    assert all(text.count("[") <= 1 and "," not in text for text in texts)
