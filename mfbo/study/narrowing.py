"""Narrowing a space to the region that holds what was promising in a run.

Promising is the best fifth of each rung. A hyperparameter is narrowed only where the promising values differ from the
others by more than chance: two-sided Kolmogorov-Smirnov test for numbers (on their log scale where they have one),
hypergeometric test for the absence of a choice, or for its failures, since an optimizer soon leaves alone what only
fails, and its absence among few then tells little; with Holm's correction for the number of hyperparameters. The region
is that of the promising values without the outermost twentieth at either end, and a margin. Of k promising values drawn
alike, t of them trimmed at either end, the next one lies outside with a chance of 2 (t + 1) / (k + 1): so sure is a
region, before its margin.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from scipy import stats

from mfbo.errors import RunError
from mfbo.evidence.statistics import holm
from mfbo.files.reading import to_yaml
from mfbo.trial import config_key

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace
    from ConfigSpace.hyperparameters import Hyperparameter

    from mfbo.ledger.run import Run
    from mfbo.trial import Config, Value

_Found: TypeAlias = "tuple[dict[str, Any], dict[str, Any], Bound]"  # before, after, and what was done

KEPT_SHARE = 0.2  # of each rung
TRIMMED_SHARE = 0.05  # of the promising values, at either end
MIN_CONFIGS = 15  # configurations, below which nothing is narrowed
MIN_PROMISING = 5  # promising values, below which a hyperparameter is not narrowed
LEVEL = 0.05
MARGIN_GAPS = 2.0  # mean distances between promising values, to either side
NUMERIC = ("uniform_int", "uniform_float")
CHOICE_KINDS = {"categorical": "choices", "ordinal": "sequence"}


@dataclass(frozen=True)
class Bound:
    """What became of one hyperparameter.

    Attributes:
        name: of the hyperparameter.
        before, after: its range or choices, in words; the same where it was left as it was.
        why: in one line.
        pvalue: of promising and other values being alike; None where there was nothing to test.
        sure: chance, at least, that another promising value lies inside; 1 where nothing was cut off.
    """

    name: str
    before: str
    after: str
    why: str
    pvalue: float | None = None
    sure: float = 1.0

    @property
    def narrowed(self) -> bool:
        """Whether anything was cut off."""
        return self.before != self.after

    @property
    def words(self) -> str:
        """In one line: what was done, why, and how sure."""
        sure = f", at least {100 * self.sure:.0f}% sure" if self.narrowed else ""
        change = f"{self.before} -> {self.after}" if self.narrowed else self.before
        return f"{self.name}: {change}: {self.why}{sure}"


@dataclass(frozen=True)
class Narrowed:
    """A smaller space.

    Attributes:
        space: in ConfigSpace's own form.
        bounds: one a hyperparameter.
        promising: configurations that the region holds.
        tried: configurations in the run.
    """

    space: Mapping[str, Any]
    bounds: tuple[Bound, ...]
    promising: int
    tried: int

    def to_yaml(self) -> str:
        """A space file for ``--space``, with the reasons as comments."""
        lines = [f"# narrowed to what holds the {self.promising} promising of {self.tried} configurations"]
        lines.append("# p, and how sure: as if they had been drawn independently, which an optimizer's are not quite")
        lines += [f"# {bound.words}" for bound in self.bounds]
        text = "\n".join("".join(char if char.isprintable() else " " for char in line) for line in lines)
        return f"{text}\n{to_yaml(dict(self.space))}"


def narrow(run: Run) -> Narrowed:
    """The region of the space that held what was promising in `run`.

    Args:
        run: exploration on small subsets, or any other.

    Raises:
        RunError: it has too few results to tell.
    """
    from ConfigSpace import ConfigurationSpace

    good, others = split(run)
    tried = len(good) + len(others)
    if tried < MIN_CONFIGS:
        need = f"at least {MIN_CONFIGS} are needed to narrow its space"
        raise RunError(f"run {str(run.folder)!r} tried {tried} configurations; {need}; continue it with `mfbo resume`")
    plain = dict(copy.deepcopy(run.header.space))
    space = ConfigurationSpace.from_serialized_dict(copy.deepcopy(plain))
    bounds = []
    failed = _failed(run, others)
    found = [(entry, *_narrowed(entry, space, good, others, failed)) for entry in plain["hyperparameters"]]
    for entry, changed, wanted in _corrected(found):
        plain, bound = _kept(plain, entry, changed, wanted)
        bounds.append(bound)
    return Narrowed(plain, tuple(bounds), len(good), tried)


def _corrected(found: Sequence[_Found]) -> list[_Found]:
    """The same, where what may be chance among so many hyperparameters is left as it was."""
    tested = [place for place, (_, _, bound) in enumerate(found) if bound.pvalue is not None]
    adjusted = dict(zip(tested, holm([found[place][2].pvalue or 0.0 for place in tested]), strict=True))
    return [
        (entry, dict(entry), _left(bound, len(tested))) if adjusted.get(place, 0.0) > LEVEL else (entry, changed, bound)
        for place, (entry, changed, bound) in enumerate(found)
    ]


def _left(bound: Bound, tested: int) -> Bound:
    """Of what was found, but not surely enough among so many that were `tested`."""
    if not bound.narrowed:
        return bound
    why = f"left as it is: among {tested} hyperparameters it may be chance (p = {bound.pvalue:.2g})"
    return Bound(bound.name, bound.before, bound.before, why, bound.pvalue)


def split(run: Run) -> tuple[list[Config], list[Config]]:
    """(promising, others): configurations that were in the best `KEPT_SHARE` of a rung, and those that were not.

    A configuration that failed at its lowest rung is one of the others.
    """
    by_rung: dict[float, dict[str, tuple[float, Config]]] = {}
    for result in run.results:
        outcome = result.outcome
        if outcome.failed or outcome.status == "ok":
            loss = math.inf if outcome.loss is None else outcome.loss
            by_rung.setdefault(outcome.rung.work, {})[result.trial.key] = (loss, result.trial.config)
    promising: dict[str, Config] = {}
    everything: dict[str, Config] = {}
    for seen in by_rung.values():
        everything.update({key: config for key, (_, config) in seen.items()})
        ranked = sorted((loss, key) for key, (loss, _) in seen.items() if loss < math.inf)
        for _, key in ranked[: math.ceil(KEPT_SHARE * len(seen))]:
            promising[key] = seen[key][1]
    return list(promising.values()), [config for key, config in everything.items() if key not in promising]


def _failed(run: Run, others: Sequence[Config]) -> list[Config]:
    """Those of `others` that have failed and never had a loss."""
    failed = {result.trial.key for result in run.results if result.outcome.failed}
    failed -= {result.trial.key for result in run.results if result.outcome.loss is not None}
    return [config for config in others if config_key(config) in failed]


def _narrowed(
    entry: Mapping[str, Any],
    space: ConfigurationSpace,
    good: Sequence[Config],
    others: Sequence[Config],
    failed: Sequence[Config],
) -> tuple[dict[str, Any], Bound]:
    """One hyperparameter, in ConfigSpace's form, and what was done to it."""
    name, kind = str(entry["name"]), str(entry["type"])
    here, there = ([config[name] for config in configs if name in config] for configs in (good, others))
    if kind not in NUMERIC and kind not in CHOICE_KINDS:
        return dict(entry), Bound(name, _words(entry), _words(entry), f"left as it is: {kind}")
    if len(here) < MIN_PROMISING or len(there) < MIN_PROMISING:
        return dict(entry), Bound(name, _words(entry), _words(entry), f"left as it is: {len(here)} promising values")
    if kind in NUMERIC:
        return _range(entry, space[name], here, there)
    return _choices(entry, here, there, len(space), [config[name] for config in failed if name in config])


def _range(
    entry: Mapping[str, Any], hyperparameter: Hyperparameter, here: Sequence[Value], there: Sequence[Value]
) -> tuple[dict[str, Any], Bound]:
    """A number: from the least to the greatest promising value, with a margin, on its own scale."""
    inside, outside = (np.array([float(hyperparameter.to_vector(v)) for v in values]) for values in (here, there))
    pvalue = float(stats.ks_2samp(inside, outside).pvalue)
    before, name = _words(entry), str(entry["name"])
    if pvalue > LEVEL:
        why = f"left as it is: promising and other values are alike (p = {pvalue:.2g})"
        return dict(entry), Bound(name, before, before, why, pvalue)
    k, ranked = len(inside), np.sort(inside)
    trim = int(TRIMMED_SHARE * k)
    low, high = ranked[trim], ranked[k - 1 - trim]
    margin = max(0.02, MARGIN_GAPS * (high - low) / (k - 1))
    ends = [hyperparameter.to_value(min(1.0, max(0.0, end))) for end in (low - margin, high + margin)]
    lower, upper = (value.item() if hasattr(value, "item") else value for value in ends)
    if lower == upper:  # a range needs two values
        lower, upper = max(entry["lower"], lower - 1), min(entry["upper"], upper + 1)
    changed = {**entry, "lower": lower, "upper": upper}
    changed["default_value"] = min(upper, max(lower, entry["default_value"]))
    inner = [_short(hyperparameter.to_value(end)) for end in (low, high)]
    why = f"{k - 2 * trim} of {k} promising values from {inner[0]} to {inner[1]}, and a margin (p = {pvalue:.2g})"
    cut = low - margin > 0 or high + margin < 1
    return changed, Bound(name, before, _words(changed), why, pvalue, 1 - 2 * (trim + 1) / (k + 1) if cut else 1.0)


def _missing(
    choices: Sequence[Value], here: Sequence[Value], there: Sequence[Value], failed: Sequence[Value]
) -> dict[Value, float]:
    """Choices that no promising configuration has, least likely by chance first, with p by Bonferroni.

    Where something failed there are two tests, whose smaller p counts twice: so few promising, or so many failures.
    """
    total, found = len(here) + len(there), {}
    for choice in choices:
        tried = list(there).count(choice)
        if choice not in here and tried:
            chance = float(stats.hypergeom(total, tried, len(here)).pmf(0))
            if failed:
                failures = list(failed).count(choice)
                chance = 2 * min(chance, float(stats.hypergeom(total, len(failed), tried).sf(failures - 1)))
            found[choice] = min(1.0, chance * len(choices))
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _choices(
    entry: Mapping[str, Any], here: Sequence[Value], there: Sequence[Value], many: int, failed: Sequence[Value] = ()
) -> tuple[dict[str, Any], Bound]:
    """Choices: those that are missing among the promising, or fail, by more than chance are dropped.

    The least likely is judged by Holm beside the other hyperparameters, of which there are so `many`; any other by
    Bonferroni, and that it may lie there all the same by the chance that the next of n + 1 is the only one of its kind.
    """
    key = CHOICE_KINDS[str(entry["type"])]
    before, name = _words(entry), str(entry["name"])
    missing = _missing(entry[key], here, there, failed)
    least = min(missing.values(), default=1.0)
    dropped = [choice for choice, p in missing.items() if p < LEVEL / (many if choice != next(iter(missing)) else 1)]
    if not dropped:
        return dict(entry), Bound(
            name, before, before, "left as it is: no choice does worse by more than chance", least
        )
    kept = [choice for choice in entry[key] if choice not in dropped]
    if entry["type"] == "ordinal":  # an order without a gap
        first, last = entry[key].index(kept[0]), entry[key].index(kept[-1])
        kept = list(entry[key][first : last + 1])
    changed = {**entry, key: kept}
    if changed["default_value"] not in kept:
        changed["default_value"] = kept[0]
    if entry.get("weights"):
        changed["weights"] = [w for choice, w in zip(entry[key], entry["weights"], strict=True) if choice in kept]
    words = ", ".join(map(str, dropped))
    if failures := sum(value in dropped for value in failed):
        words += f", and {failures} of {sum(value in dropped for value in there)} with it failed"
    why = f"none of {len(here)} promising configurations has {words} (p = {missing[dropped[-1]]:.2g})"
    return changed, Bound(name, before, _words(changed), why, least, 1 - len(dropped) / (len(here) + 1))


def _kept(
    plain: dict[str, Any], entry: Mapping[str, Any], changed: Mapping[str, Any], bound: Bound
) -> tuple[dict[str, Any], Bound]:
    """The space with the change, unless a condition or a forbidden part needs what was cut off."""
    from ConfigSpace import ConfigurationSpace

    listed = [changed if one["name"] == entry["name"] else one for one in plain["hyperparameters"]]
    found = {**plain, "hyperparameters": listed}
    try:
        ConfigurationSpace.from_serialized_dict(copy.deepcopy(found))
    except Exception as error:  # ConfigSpace raises several kinds
        why = f"left as it is: a condition or forbidden part needs all of it ({type(error).__name__})"
        return plain, Bound(bound.name, bound.before, bound.before, why, bound.pvalue)
    return found, bound


def _words(entry: Mapping[str, Any]) -> str:
    """``[0.001, 0.1]``, or the choices."""
    if entry["type"] in CHOICE_KINDS:
        return "{" + ", ".join(map(str, entry[CHOICE_KINDS[str(entry["type"])]])) + "}"
    if "lower" in entry:
        return f"[{_short(entry['lower'])}, {_short(entry['upper'])}]"
    return str(entry.get("value", entry["type"]))


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)  # numpy's are floats too
