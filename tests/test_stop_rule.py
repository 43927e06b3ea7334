"""Rules to stop by, as people write them."""

import pytest

from mfbo.errors import BadValue
from mfbo.search import Search
from mfbo.stop_rule import StopRule


@pytest.mark.parametrize(
    ("text", "bound", "relative", "per"),
    [
        ("gain<0.1%", 0.001, True, ""),
        (" gain < .002 ", 0.002, False, ""),
        ("gain<1e-3", 0.001, False, ""),
        ("gain<noise", None, False, ""),
        ("gain<0.1%/h", 0.001, True, "h"),
        ("gain<noise/d", None, False, "d"),
        ("gain<2%/min", 0.02, True, "min"),
        ("gain<0.1% / USD", 0.001, True, "USD"),
        ("gain<0.1%/$", 0.001, True, "$"),
    ],
)
def test_a_rule_is_read_as_it_is_meant(text, bound, relative, per):
    rule = StopRule.parse(text)
    assert rule.bound == pytest.approx(bound) if bound else rule.bound is None
    assert (rule.relative, rule.per) == (relative, per)
    assert StopRule.parse(rule.text) == rule


@pytest.mark.parametrize(
    "text",
    ["", "gain", "gain<", "gain>0.1%", "gain<=1", "loss<0.1", "gain<0", "gain<-1%", "gain<nan", "gain<1e999",
     "gain<1/x", "gain<1/week", "gain<%", "gain<noise%", "1%", None, 0.1],
)  # fmt: skip
def test_what_is_no_rule_is_refused_with_what_is_one(text):
    with pytest.raises(BadValue, match="gain<NUMBER"):
        StopRule.parse(text)


def test_several_objectives_take_no_rule():
    with pytest.raises(BadValue, match="no single gain"):
        Search(objectives=("loss", "size"), stop_when="gain<1%")


def test_a_search_keeps_a_rule_without_its_blanks():
    assert Search(stop_when="gain < 1 %").stop_when == "gain<1%"
