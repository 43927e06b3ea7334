"""Runs side by side: whether they may be compared, which belong together, and what their losses mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfbo.budget import Budget
from mfbo.cost.price import of_runs
from mfbo.errors import BadLedger, BadValue, MfboError, RunError
from mfbo.evidence.curves import Curve, Worth, anytime, common_costs, incumbent
from mfbo.goal import UNNAMED, Goal
from mfbo.ledger import fingerprint
from mfbo.ledger.journal import read
from mfbo.optimizers.registry import OPTIMIZERS
from mfbo.settings import FREE
from mfbo.space import is_space_file
from mfbo.tasks.registry import load, names
from mfbo.trial import config_key, counted

if TYPE_CHECKING:
    from mfbo.cost.price import Price
    from mfbo.ledger.run import Header, Run
    from mfbo.trial import Config

UNCOMPARED = ("space", *FREE)  # settings that another check compares, or that change no result


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seed alone.

    Attributes:
        optimizer: its name.
        variant: settings in which not all runs of the comparison agree, such as ``workers=4``, and what was asked of
            the search, such as ``eta=2``, in which those of the optimizer do not; most often empty.
        share: by which costs in `curves` are divided: an optimizer that is given twice the cost stands at half of it.
        seeds: one a run.
        curves: the anytime curve of each run.
        runs: as they were read.
        worth: what `curves` show losses by, as `mfbo.evidence.curves.anytime` takes it.
    """

    optimizer: str
    variant: str
    share: float
    seeds: tuple[int, ...]
    curves: tuple[Curve, ...]
    runs: tuple[Run, ...]
    worth: Worth | None

    @property
    def name(self) -> str:
        """Of the optimizer, and what sets these runs apart: ``smac, workers=4``."""
        return f"{self.optimizer}, {self.variant}" if self.variant else self.optimizer


@dataclass(frozen=True)
class Comparison:
    """Runs of one task, in one unit of cost.

    Attributes:
        task: its name, as the ledgers have it.
        unit: of cost: ``s`` seconds, ``x`` full evaluations.
        virtual: whether cost is a surrogate's.
        limits: the different cost limits, lowest first, each divided by its `Group.share`; empty where a run has none.
        true: whether losses are what incumbents are worth at full fidelity, else the validation losses observed.
        optimum: the best possible loss; None where it is not known, or losses are not `true`.
        groups: in the order of the runs.
        goal: the metric of all runs, and whether it is maximised.
    """

    task: str
    unit: str
    virtual: bool
    limits: tuple[Budget, ...]
    true: bool
    optimum: float | None
    groups: tuple[Group, ...]
    goal: Goal = field(default_factory=Goal)

    @property
    def runs(self) -> list[Run]:
        """Those of all groups."""
        return [run for group in self.groups for run in group.runs]

    @property
    def paid(self) -> Price | None:
        """What its costs are paid with; None without a price, or where they are no time."""
        return of_runs(self.runs) if self.unit == "s" else None


def compare(folders: Sequence[Path | str]) -> Comparison:
    """Read runs and put them side by side.

    Args:
        folders: one a run.

    Raises:
        RunError: a run that cannot be read, has no loss or cost nothing; runs of different tasks, spaces or full
            fidelities; a group whose runs have no cost in common.
        BadValue: no run, budgets of different units, or a run given twice.
    """
    return side_by_side([read(folder) for folder in folders])


def side_by_side(runs: Sequence[Run]) -> Comparison:
    """The same of runs that were read; see `compare`."""
    if not runs:
        raise BadValue("no run given; give the folders that `mfbo tune` printed")
    for run in runs:
        _check_success(run)
        _check_same(runs[0], run)
    first = runs[0].header
    worth = worth_of(first)
    budgets = {_budget(run) for run in runs}
    return Comparison(
        task=first.task,
        unit=_unit(runs[0]),
        virtual=any(result.outcome.virtual for run in runs for result in run.results),
        limits=tuple(sorted(filter(None, budgets), key=lambda budget: budget.amount)) if None not in budgets else (),
        true=worth is not None,
        optimum=first.optimum if worth else None,
        groups=_groups(runs, worth),
        goal=next((run.header.goal for run in runs if run.header.goal.name not in UNNAMED), first.goal),
    )


def sort_out(runs: Sequence[Run]) -> tuple[list[Run], list[tuple[Run, str]]]:
    """Runs that can stand side by side, and those that cannot, each with the reason.

    A run that was not brought to its end would cut all others to its own cost; it counts only where no run was.
    """
    judged = [(run, unfit(run)) for run in runs]
    if any(run.finished for run, reason in judged if not reason):
        judged = [(run, reason or ("" if run.finished else "it has not ended")) for run, reason in judged]
    return [run for run, reason in judged if not reason], [(run, reason) for run, reason in judged if reason]


def unfit(run: Run) -> str:
    """Why a run cannot stand beside others; empty if it can."""
    if not run.results:
        return "no result yet"
    if incumbent(run) is None:
        return f"none of its {len(run.results)} trials had a loss; `mfbo show` says why"
    return "" if run.spent > 0 else "it has cost nothing"


def worth_of(header: Header) -> Worth | None:
    """What configurations are worth at full fidelity: `Task.true_loss` of an installed task that is still the run's.

    None where that is not known. The file of a user's own task is never imported: to look at a run executes nothing
    that its ledger names.
    """
    space = header.settings.space
    if header.task not in names() or is_space_file(space):
        return None
    try:
        task = load(header.task).with_space(space)
        fingerprint.check_unchanged(header, task)
    except MfboError:
        return None
    goal, true = header.goal, task.true_loss
    optimum = None if task.optimum is None else goal.loss(task.optimum)
    if true is None or (optimum, task.full_cost) != (header.optimum, header.full_cost):
        return None
    return _guarded(lambda config: goal.loss(true(config)))


def _guarded(worth: Worth) -> Worth:
    """`worth`, which refuses a configuration that a ledger has and the space of its task has not."""

    def guarded(config: Config) -> float:
        try:
            return worth(config)
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            raise BadLedger(f"the ledger has {config}, which is no configuration of its task") from error

    return guarded


def _check_success(run: Run) -> None:
    """There is something to show."""
    if not run.results:
        raise RunError(f"{_place(run)} has no result yet; continue it with `mfbo resume`, or leave it out")
    if incumbent(run) is None:
        count = f"{len(run.results)} trials" if len(run.results) > 1 else "its one trial"
        raise RunError(f"{_place(run)} has no successful trial among {count}; `mfbo show` says why; leave it out")
    if run.spent <= 0:
        raise RunError(f"{_place(run)} has a cost of 0, so it cannot be compared; leave it out")


def _check_same(first: Run, run: Run) -> None:
    """Losses and costs of both mean the same."""
    one, other = first.header, run.header
    where = f"in {_place(first)}", f"in {_place(run)}"
    name, file = _identity(one)
    if (name, file) != _identity(other):
        both = f"{one.task!r} {where[0]}, {other.task!r} {where[1]}"
        what = "tasks" if name != _identity(other)[0] else "contents of the task's file"
        raise RunError(f"runs of different {what} cannot be compared: {both}; give runs of one")
    check_metrics([first, run])
    if one.space_hash != other.space_hash:
        both = f"{_space(one)} {where[0]}, {_space(other)} {where[1]}"
        raise RunError(f"runs of different spaces cannot be compared: {both}; give runs of one space")
    full = _full(one), _full(other)
    if full[0] != full[1]:
        both = f"{full[0]} {where[0]}, {full[1]} {where[1]}"
        raise RunError(f"runs of different full fidelities cannot be compared: {both}; give runs of one")
    if _unit(first) != _unit(run):
        both = f"{first.limits.max_cost} {where[0]}, {run.limits.max_cost} {where[1]}"
        text = f"budgets in time and in full evaluations cannot be compared: {both}"
        raise BadValue(f"{text}; give runs whose --max-cost has the same unit")


def check_metrics(runs: Sequence[Run]) -> None:
    """Losses of all runs mean the same.

    Raises:
        RunError: they measured different things, or one of them is to be high and the other low.
    """
    first = runs[0]
    for run in runs:
        if not run.header.goal.like(first.header.goal):
            both = f"{first.header.goal.option} in {_place(first)}, {run.header.goal.option} in {_place(run)}"
            raise RunError(f"runs of different metrics cannot be compared: {both}; give runs of one")


def _identity(header: Header) -> tuple[str, str]:
    """Name of the task and hash of its file; where the file lies does not matter."""
    return (header.task.rpartition(":")[2] if header.source_hash else header.task), header.source_hash


def _full(header: Header) -> str:
    """Full fidelity in words."""
    full = header.fidelity.full
    counts = ", ".join(counted(number, name) for name, number in full.counts.items())
    return f"{counts} on {100 * full.data:.3g}% of the data"


def _space(header: Header) -> str:
    """The space in words."""
    names = [entry["name"] for entry in header.space.get("hyperparameters", [])]
    return f"{header.settings.space!r} ({len(names)} hyperparameters)"


def _unit(run: Run) -> str:
    return run.limits.unit


def _budget(run: Run) -> Budget | None:
    budget = run.limits.max_cost
    return budget and replace(budget, amount=budget.amount / _cost_share(run.header.optimizer))


def _place(run: Run) -> str:
    return repr(str(run.folder))


def _groups(runs: Sequence[Run], worth: Worth | None) -> tuple[Group, ...]:
    """Runs of one optimizer and the same settings together."""
    variants = _variants(runs)
    found: dict[tuple[str, str], dict[int, Run]] = {}
    for run, variant in zip(runs, variants, strict=True):
        seeds = found.setdefault((run.header.optimizer, variant), {})
        twin = seeds.setdefault(run.header.seed, run)
        if twin is not run:
            text = f"{run.header.optimizer} with seed {run.header.seed} is given twice: {_place(twin)}, {_place(run)}"
            raise BadValue(f"{text}; a mean would count that seed double, leave one out")
    groups = []
    for (optimizer, variant), seeds in found.items():
        share = _cost_share(optimizer)
        whole = [anytime(run, worth) for run in seeds.values()]
        curves = tuple(replace(curve, costs=curve.costs / share, end=curve.end / share) for curve in whole)
        if not len(common_costs(curves)):
            places = ", ".join(_place(run) for run in seeds.values())
            raise RunError(f"runs of {optimizer} have no cost in common: {places}; resume the shorter, or leave it out")
        groups.append(Group(optimizer, variant, share, tuple(seeds), curves, tuple(seeds.values()), worth))
    return tuple(groups)


def _cost_share(optimizer: str) -> float:
    """By what its costs are divided; a ledger may name one that is not registered here, which was given no more."""
    return OPTIMIZERS[optimizer].cost_share if optimizer in OPTIMIZERS else 1.0


def _variants(runs: Sequence[Run]) -> list[str]:
    """What sets each run apart from the others, in words."""
    settings, searches = [_settings(run.header) for run in runs], [_asked(run.header) for run in runs]
    names = [key for key in dict.fromkeys(key for one in settings for key in one) if _differs(key, settings)]
    own: dict[str, list[Mapping[str, Any]]] = {}  # what was asked of the runs of each optimizer
    for run, search in zip(runs, searches, strict=True):
        own.setdefault(run.header.optimizer, []).append(search)
    found = []
    for run, one, search in zip(runs, settings, searches, strict=True):
        differing = {key: one.get(key) for key in names}
        differing |= {key: search[key] for key in search if _differs(key, own[run.header.optimizer])}
        found.append(", ".join(f"{key}={value}" for key, value in differing.items() if value not in (None, False)))
    return found


def _settings(header: Header) -> Mapping[str, Any]:
    """What could make two runs of one optimizer differ, in one dictionary."""
    settings = {
        key: value for key, value in vars(header.settings).items() if key not in UNCOMPARED and key != "options"
    }
    if settings.get("workers") is None:
        settings["workers"] = 1
    return {"fidelity": header.search.path, **settings, **header.settings.options}


def _asked(header: Header) -> Mapping[str, Any]:
    """What was asked of its search that is not usual, in short; its path stands among the settings."""
    options = {name: value for name, value in header.search.options().items() if name != "fidelity"}
    short = {name.replace("_", " "): _short(value) for name, value in options.items()}
    return {**short, "warm start": f"{len(header.known)} results" if header.known else None}


def _short(value: object) -> object:
    if isinstance(value, dict):
        return config_key(value)[:6]
    return "+".join(value) if isinstance(value, tuple) else value


def _differs(key: str, settings: Sequence[Mapping[str, Any]]) -> bool:
    return any(one.get(key) != settings[0].get(key) for one in settings)
