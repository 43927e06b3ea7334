"""What is compared: tasks × optimizers × seeds, each run within the same cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from mfbo.adapters.command import is_command
from mfbo.budget import Budget
from mfbo.cost.price import in_time
from mfbo.engine import preflight
from mfbo.engine.direction import settled
from mfbo.errors import BadValue
from mfbo.optimizers.registry import spec_of
from mfbo.planning import planner
from mfbo.search import Search
from mfbo.settings import Settings
from mfbo.space import prior_of
from mfbo.tasks.registry import load
from mfbo.trial import config_key

OPTIMIZERS, SEEDS = ("smac", "hyperband", "random", "grid"), 5
"""What a comparison is of where nobody says otherwise."""
RUN_FIELDS = ("optimizer", "seed", "objectives")
"""Options of a search that a study does not have: it compares optimizers and seeds, by their losses."""


@dataclass(frozen=True)
class Study:
    """What is compared.

    Attributes:
        tasks: names that `mfbo.tasks.registry.load` takes.
        optimizers: names in `mfbo.optimizers.registry.OPTIMIZERS`.
        seeds: how many; they are 0, 1, ...
        max_cost: of a run, as for `mfbo.tune`.
        search: the options of each run, but for `RUN_FIELDS`; a prior is for the optimizers that make use of one.
        settings: how trials are run.
    """

    tasks: tuple[str, ...]
    optimizers: tuple[str, ...]
    seeds: int
    max_cost: str
    search: Search = field(default_factory=Search)
    settings: Settings = field(default_factory=Settings)

    def check(self) -> None:
        """Refuse what cannot be run, before anything is.

        Raises:
            BadValue: no task, no optimizer, no seed, a name twice, no ladder, or no configuration as prior.
            UnknownName, BadTask, BadCost ...: as `mfbo.tune`.
        """
        self._check_names()
        if isinstance(self.seeds, bool) or not isinstance(self.seeds, int) or self.seeds < 1:
            raise BadValue(f"seeds {self.seeds!r}: give a whole number, 1 or more")
        Budget.parse(self.in_time().max_cost, "max cost")
        preflight.settings(self.settings)
        for name in self.tasks:
            task = load(name).with_space(self.settings.space)
            settled(task, self.search, self.settings)
            for optimizer in self.optimizers:
                planner.rungs(task, replace(self.search, optimizer=optimizer))
            if self.search.prior is not None:
                prior_of(self.search.prior, task.space)

    def _check_names(self) -> None:
        for kind, names in (("tasks", self.tasks), ("optimizers", self.optimizers)):
            if not names:
                raise BadValue(f"no {kind} given; name one or more")
            if twice := [name for name in names if names.count(name) > 1]:
                raise BadValue(f"{kind}: {twice[0]!r} is named twice; name it once")
        for name in self.optimizers:
            spec_of(name)
        folders = [file_name(name) for name in self.tasks]
        if twins := [name for name, folder in zip(self.tasks, folders, strict=True) if folders.count(folder) > 1]:
            raise BadValue(f"tasks {' and '.join(map(repr, twins))} would share a folder; rename a file or a task")

    def in_time(self) -> Study:
        """The same with a cost in seconds, where it is in money."""
        max_cost, settings = in_time(self.max_cost, self.settings)
        return replace(self, max_cost=str(max_cost), settings=settings)

    @property
    def size(self) -> int:
        """Number of runs."""
        return len(self.tasks) * len(self.optimizers) * self.seeds

    def entries(self) -> Iterator[Entry]:
        """Every run, seed by seed; the optimizers of one task and seed after one another."""
        for seed in range(self.seeds):
            for task in self.tasks:
                for optimizer in self.optimizers:
                    yield Entry(task, optimizer, seed)


@dataclass(frozen=True)
class Entry:
    """One run of a study."""

    task: str
    optimizer: str
    seed: int

    @property
    def folder(self) -> Path:
        """Within the study's."""
        return Path(file_name(self.task)) / self.optimizer / f"s{self.seed}"


def names_of(text: str) -> tuple[str, ...]:
    """Names with commas between, as the command line and a study file give them."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def file_name(task: str) -> str:
    """A task's name as a folder's; of a task in a file, the names of both."""
    if is_command(task):
        return f"{load(task).name}-{config_key({'command': task})[:6]}"
    path, _, name = task.rpartition(":")
    return f"{Path(path).stem}-{name}" if path else name
