"""Did multi-fidelity pay off on one task: yes, no, or when the runs cannot say it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from mfbo.evidence.comparison import Group
from mfbo.evidence.statistics import SpeedUp
from mfbo.evidence.summary import BASELINES, Evidence, Standing, significantly_worse, speed_up_by
from mfbo.optimizers.registry import DEFAULT_OPTIMIZER

Answer: TypeAlias = Literal["yes", "likely", "no", "unlikely", "open", "unknown"]
MIN_SEEDS = 6
"""Paired seeds from which on a two-sided signed-rank test can fall below 5%: its smallest p-value is 2 / 2**seeds."""


@dataclass(frozen=True)
class Payoff:
    """Whether an optimizer that uses low fidelities beat those that train everything in full, on one task.

    Attributes:
        answer: ``yes`` where the interval of the speed-up lies above 1 and there are `MIN_SEEDS` seeds, ``no`` where
            that of the baseline over the optimizer does too, or the optimizer's final losses are
            `significantly_worse`; ``likely`` or ``unlikely`` with fewer; ``open`` where neither holds; ``unknown``
            without a baseline, without such an optimizer, or for one seed. An interval below 1 alone says too little:
            the baseline has reached its own final loss by definition, so chance alone makes for that in one of eight
            comparisons of six seeds. Losses of the optimizer that were measured below the baseline's fidelity never
            make for ``no``.
        optimizer: that is judged: the default one if it was run, else the one with the best final loss.
            None if there is none.
        baseline: that it is judged by: the first of `mfbo.evidence.summary.BASELINES` that was run; None if none was.
        speed_ups: over each baseline that was run, by its name; none for one seed.
        seeds: of the optimizer or of the baseline, whichever has fewer.
    """

    answer: Answer
    optimizer: Standing | None
    baseline: Standing | None
    speed_ups: dict[str, SpeedUp]
    seeds: int

    @property
    def smallest_pvalue(self) -> float:
        """Of a signed-rank test over as many paired seeds."""
        return min(1.0, 2.0 ** (1 - self.seeds))


def payoff(found: Evidence) -> Payoff:
    """What `found` says; the optimizer to judge is chosen before its numbers are looked at, wherever it can be."""
    groups = {group.name: group for group in found.comparison.groups}
    ours = _judged(found, groups)
    base = next((row for row in found.standings if row.name == found.baseline), None)
    seeds = min((row.seeds for row in (ours, base) if row), default=0)
    if ours is None or base is None:
        return Payoff("unknown", ours, base, {}, seeds)
    others = [group for group in groups.values() if group.optimizer in BASELINES and group.name != base.name]
    speed_ups = {base.name: ours.speed_up}
    speed_ups |= {group.name: speed_up_by(groups[ours.name], group, found.end) for group in others}
    known = {name: value for name, value in speed_ups.items() if value is not None and not math.isnan(value.low)}
    slower = not ours.below and _slower(groups[ours.name], groups[base.name], found.end)
    return Payoff(_answer(known.get(base.name), seeds, slower=slower), ours, base, known, seeds)


def _judged(found: Evidence, groups: dict[str, Group]) -> Standing | None:
    multi = [row for row in found.standings if groups[row.name].optimizer not in BASELINES]
    default = [row for row in multi if groups[row.name].optimizer == DEFAULT_OPTIMIZER]
    return next(iter(default or multi), None)


def _slower(group: Group, base: Group, end: float) -> bool:
    """Whether the baseline beats the optimizer: by cost to what the optimizer had in the end, or by what it had."""
    back = speed_up_by(base, group, end)
    return (back is not None and back.low > 1) or significantly_worse(group, base, end)


def _answer(found: SpeedUp | None, seeds: int, *, slower: bool) -> Answer:
    if found is None:
        return "unknown"
    if found.low > 1:
        return "yes" if seeds >= MIN_SEEDS else "likely"
    if found.high < 1 and slower:
        return "no" if seeds >= MIN_SEEDS else "unlikely"
    return "open"
