"""Hypothesis strategies that several test files share."""

from __future__ import annotations

from typing import get_args

from ConfigSpace import (
    Categorical,
    ConfigurationSpace,
    Constant,
    EqualsCondition,
    Float,
    ForbiddenAndConjunction,
    ForbiddenEqualsClause,
    ForbiddenInClause,
    GreaterThanCondition,
    InCondition,
    Integer,
    OrdinalHyperparameter,
)
from hypothesis import strategies as st

from mfbo.trial import Outcome, Report, Rung, Status, Trial

FINITE = st.floats(allow_nan=False, allow_infinity=False)
SECONDS = st.floats(0, 1e9)

configs = st.dictionaries(
    st.text(min_size=1, max_size=8),
    st.booleans() | st.integers() | FINITE | st.text(max_size=8),
    min_size=1,
    max_size=4,
)
rungs = st.builds(Rung, st.integers(1, 300), st.floats(0, 1, exclude_min=True), st.floats(0, 1, exclude_min=True))
reports = st.builds(Report, st.integers(0, 300), FINITE, SECONDS)


def trials(number: int) -> st.SearchStrategy[Trial]:
    """Trials of that number."""
    return st.builds(Trial, st.just(number), configs, rungs)


outcomes = st.builds(
    Outcome,
    status=st.sampled_from(sorted(get_args(Status))),
    loss=st.none() | FINITE,
    rung=rungs,
    train=SECONDS,
    evaluation=SECONDS,
    metrics=st.dictionaries(st.text(max_size=8), FINITE, max_size=3),
    reports=st.lists(reports, max_size=3).map(tuple),
    error=st.none() | st.text(max_size=20),
    virtual=st.booleans(),
    start_epoch=st.integers(0, 300),
)


@st.composite
def _parameters(draw, name: str):
    kind = draw(st.sampled_from(["float", "log float", "integer", "log integer", "categorical", "ordinal", "constant"]))
    if kind == "constant":
        return Constant(name, draw(st.sampled_from([3, 0.5, "fixed"])))
    if kind == "categorical":
        choices = [["a", "b", "c"], [True, False], [32, 64, 128], [None, 0.5], ["only"]]
        return Categorical(name, draw(st.sampled_from(choices)))
    if kind == "ordinal":
        return OrdinalHyperparameter(name, draw(st.sampled_from([["low", "mid", "high"], [1, 2, 4, 8]])))
    low = draw(st.integers(1, 50) if "integer" in kind else st.floats(1e-6, 50))
    high = low + (draw(st.integers(1, 100)) if "integer" in kind else low * draw(st.floats(0.1, 100)))
    make = Integer if "integer" in kind else Float
    return make(name, (low, high) if "log" in kind else (low - 7, high - 7), log="log" in kind)


@st.composite
def spaces(draw, most: int = 5):
    """Spaces of every kind of hyperparameter, some with a condition, some with a forbidden part."""
    space = ConfigurationSpace(name="made", seed=0)
    parts = [draw(_parameters(f"p{number}")) for number in range(draw(st.integers(1, most)))]
    switch = Categorical("switch", ["on", "off", "auto"])
    level = OrdinalHyperparameter("level", [0, 1, 2])
    condition = draw(st.sampled_from([None, "equals", "in", "greater"]))
    forbidden = draw(st.sampled_from([None, "value", "pair"]))
    space.add(*parts, switch, level)
    if condition == "equals":
        space.add(EqualsCondition(parts[0], switch, "on"))
    elif condition == "in":
        space.add(InCondition(parts[0], switch, ["on", "auto"]))
    elif condition == "greater":
        space.add(GreaterThanCondition(parts[0], level, 0))
    if forbidden == "value":
        space.add(ForbiddenEqualsClause(switch, "off"))
    elif forbidden == "pair":
        space.add(ForbiddenAndConjunction(ForbiddenInClause(switch, ["off", "auto"]), ForbiddenEqualsClause(level, 2)))
    return space
