"""A task: what is tuned. `mfbo.tasks.registry` has how a name leads to one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from mfbo.average import Repeated
from mfbo.context import Context
from mfbo.errors import BadSpace, BadTask, UnknownName
from mfbo.fidelity import Fidelity
from mfbo.goal import said
from mfbo.space import is_space_file, read_space
from mfbo.trial import REPEATS, Config, Measurement, Rung, Value

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

Train: TypeAlias = Callable[[Config, Rung, Context], "Measurement | float"]


@dataclass(frozen=True)
class Task:
    """Something to tune.

    Attributes:
        name: letters, digits, ``-`` and ``_``; run folders carry it.
        space: the hyperparameters.
        train: trains one configuration at one fidelity and returns its validation loss, or what `metric` names: a
            number, a `Measurement`, or a dictionary that has it under that name. Where the fidelity counts
            ``repeats`` it measures once, by ``context.seed``, and is called for each of them.
        fidelity: what can be cut down to make an evaluation cheaper.
        description: one line.
        grid: values for grid search by hyperparameter; what is not named gets values spread over its range.
        validate: like `train`, but trains on training and validation data and measures on the test split, which
            nothing else reads.
        prepare: called once with the run's options before its first trial; raises what a person must mend, such as
            missing data, before anything is written.
        warm_up: called in each process that trains, before its first trial: imports what else that one would wait for.
        spaces: further spaces by name, such as ``wide``, for ``--space``.
        stateless: `train` is a surrogate or a table: it continues from ``context.start_epoch`` without a checkpoint.
        full_cost: virtual seconds of an average full evaluation, for surrogates; ``20x`` is then twenty of them.
        source: what `load` was given; empty for a task made in Python, which only Python can take up again.
        metric: name of what `train` returns and reports, such as ``val_acc``, or ``max:val_acc``; else it is a loss.
        maximize: whether higher is better; None where the task leaves it to the run.
        optimum: the metric of the best configuration at full fidelity, where it is known.
        true_loss: configuration -> what it is worth at full fidelity without noise, where it is known.
        repeated: part of the epochs behind a checkpoint that going on from it trains again, in [0, 1).
        least: options -> (data, work) of the lowest rung that tells anything: the smallest data fraction that leaves
            each class enough samples, and the least work that moves a model; called after `prepare`.
        installed: it comes with mfbo or a package, so that its train function cannot be made to fit another space.
        cheaper: an option that makes trials cheaper, such as ``samples=1000``, for a user whose budget is too small.
    """

    name: str
    space: ConfigurationSpace
    train: Train
    fidelity: Fidelity = field(default_factory=Fidelity)
    description: str = ""
    grid: Mapping[str, Sequence[Value]] | None = None
    validate: Train | None = None
    prepare: Callable[[Mapping[str, str]], None] | None = None
    warm_up: Callable[[], None] | None = None
    spaces: Mapping[str, Callable[[], ConfigurationSpace]] = field(default_factory=dict)
    stateless: bool = False
    full_cost: float | None = None
    source: str = ""
    optimum: float | None = None
    true_loss: Callable[[Config], float] | None = None
    repeated: float = 0.0
    least: Callable[[Mapping[str, str]], tuple[float, float]] | None = None
    cheaper: str = ""
    installed: bool = False
    metric: str = ""
    maximize: bool | None = None

    def __post_init__(self) -> None:
        if not self.name or not self.name.replace("-", "").replace("_", "").isalnum():
            raise BadTask(f"task name {self.name!r}: use letters, digits, '-' and '_'")
        if not callable(self.train):
            raise BadTask(f"task {self.name!r}: train is {self.train!r}; give a function (config, fidelity, context)")
        if not hasattr(self.space, "sample_configuration"):
            raise BadTask(f"task {self.name!r}: space is a {type(self.space).__name__}; give a ConfigurationSpace")
        if not isinstance(self.fidelity, Fidelity):
            raise BadTask(
                f"task {self.name!r}: fidelity is {self.fidelity!r}; give mfbo.Fidelity(epochs=..., data=...)"
            )
        metric, maximize = said(self.metric, self.maximize)
        object.__setattr__(self, "metric", metric)
        object.__setattr__(self, "maximize", maximize)
        if REPEATS in self.fidelity.counts and not isinstance(self.train, Repeated):
            object.__setattr__(self, "train", Repeated(self.train))

    def trained(self, rung: Rung, start_epoch: int) -> float:
        """Epochs that going from `start_epoch` to the end of `rung` trains, what is repeated included."""
        if not self.fidelity.continues:
            return float(rung.epochs)
        return max(0.0, rung.epochs - start_epoch) + self.repeated * min(start_epoch, rung.epochs)

    def ready(self, options: Mapping[str, str]) -> None:
        """Prepare this process for trials."""
        if self.prepare:
            self.prepare(options)
        if self.warm_up:
            self.warm_up()

    def remedy(self, options: Mapping[str, str]) -> str:
        """What a user can do whose budget is too small; `options` are those of the run."""
        known = self.cheaper and self.cheaper.partition("=")[0] not in options
        return f"give more, or add --option {self.cheaper}" if known else "give more"

    @property
    def simulated(self) -> bool:
        """Whether its cost is known to be virtual before the first trial."""
        return self.stateless or self.full_cost is not None

    def with_space(self, name: str) -> Task:
        """This task with another space.

        Args:
            name: ``default``, a name in `spaces`, or a YAML file (see `read_space`).

        Raises:
            UnknownName: no such space.
            BadSpace: the file cannot be read as one.
        """
        if name == "default":
            return self
        if name in self.spaces:
            space = self.spaces[name]()
        elif is_space_file(name):
            space = read_space(Path(name))
            self._check_space(space, name)
        else:
            raise UnknownName("space", name, ["default", *self.spaces], "or a file that ends in .yaml or .json")
        return self.on(space)

    def _check_space(self, space: ConfigurationSpace, where: str) -> None:
        """Refuse one without a hyperparameter that every configuration of an installed task has."""
        always = set(self.space.unconditional_hyperparameters) if self.installed else set()
        if missing := [name for name in self.space if name in always and name not in space]:
            raise BadSpace(
                f"space {where!r} has no {', '.join(map(repr, missing))}, which task {self.name!r} trains with; "
                "add it, as {choices: [VALUE]} if it is not to be tuned"
            )

    def on(self, space: ConfigurationSpace) -> Task:
        """This task with `space`; of its grid what lies inside."""
        given = {key: values for key, values in (self.grid or {}).items() if key in space}
        legal = {key: [value for value in values if space[key].legal_value(value)] for key, values in given.items()}
        return replace(self, space=space, grid={key: values for key, values in legal.items() if values})
