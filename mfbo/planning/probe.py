"""Short trainings before a run, to see what a start, an evaluation and an epoch cost here; they are charged."""

from __future__ import annotations

import math
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, replace
from statistics import median_low
from typing import TYPE_CHECKING

from mfbo.checkpoint import Checkpoints
from mfbo.errors import BadDirection
from mfbo.executors import Allowance, choice
from mfbo.executors.evaluate import TrialSetup
from mfbo.executors.scratch import scratch
from mfbo.goal import Goal
from mfbo.ledger.plan import Probe
from mfbo.optimizers.sampling import plain, sample
from mfbo.trial import Pace, Trial, config_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from mfbo.executors import Executor
    from mfbo.executors.local import LocalExecutor
    from mfbo.settings import Settings
    from mfbo.task import Task
    from mfbo.trial import Config, Outcome, Rung

BUDGET_SHARE = 0.05  # of a budget, for probes
MAX_SECONDS = 60.0  # seconds of probes, however large the budget
MIN_SECONDS = 1.0  # seconds; with less, nothing can be measured
CONFIGS = 6  # that are trained
FAILURES = 2  # of trainings, and there are no more
CHECKPOINTS = "checkpoints"  # folder of theirs
FIRST_SHARE = 0.7  # of the time, for the first probe, which is to come to an evaluation
GRACE = 10.0  # seconds to stop, or what the first probe leaves of the time if that is less
SHORT, SOON = 2, 1.0  # epochs of the first probe; if they take less than so many seconds, the others are longer


@dataclass(frozen=True)
class Probed:
    """What probes found.

    Attributes:
        probes: those that told something.
        cost: seconds charged, those that told nothing included.
        wall: seconds by the clock.
        error: why there are none; empty where there are.
        bound: whether what they cost is a lower bound: the only one was stopped before it told of its progress.
    """

    probes: tuple[Probe, ...] = ()
    cost: float = 0.0
    wall: float = 0.0
    error: str = ""
    bound: bool = False


@dataclass(frozen=True)
class Bench:
    """Where to measure, and on what.

    Attributes:
        folder: for checkpoints, which are left there; and for what else is written.
        workers: processes of this machine, which are left there too; None for own ones.
        configs: gives those to be trained first, such as what the run will ask for first.
    """

    folder: Path
    workers: LocalExecutor | None = None
    configs: Callable[[], Sequence[Config]] = tuple


def probe(
    task: Task,
    settings: Settings,
    seed: int,
    *,
    seconds: float,
    data: tuple[float, float],
    goal: Goal,
    inputs: Rung | None = None,
    interrupted: Callable[[], bool] = lambda: False,
    note: Callable[[str], None] = lambda text: None,
    stage: Callable[[str, float], None] = lambda what, seconds: None,
    bench: Bench | None = None,
) -> Probed:
    """Train a few configurations for a moment each, as a run would train them.

    Args:
        task: what to train.
        settings: how trials are run.
        seed: of the run.
        seconds: to spend in all; more only where a task needs longer to take a first step, since what tells nothing is
            wasted.
        data: fractions of the data to train on: of the first probe, which is to come to an evaluation, and of the
            others, which are to train as a run will: with little data, batches are small and slow.
        goal: what trials measure.
        inputs: the lowest rung of a run, whose size of inputs and further counts are taken; None for whole ones.
        interrupted: whether the user asked to stop.
        note: is told what the user should know.
        stage: is told what is done, and how many seconds of training it may take.
        bench: where, and on which configurations; None for the default one and random ones, of which nothing stays.
    """
    grace = min(GRACE, (1 - FIRST_SHARE / 2) * seconds)
    with ExitStack() as stack:
        if bench is None:
            bench = Bench(stack.enter_context(scratch("probe")))
        checkpoints = None if settings.from_scratch else Checkpoints(bench.folder / CHECKPOINTS)
        setup = TrialSetup(seed, settings.device, settings.options, checkpoints, scratch=bench.folder, goal=goal)
        executor = choice.make(
            task,
            setup,
            settings,
            grace=grace,
            interrupted=interrupted,
            note=note,
            wall=0.0,
            virtual=False,
            early=bench.workers,
        )
        if bench.workers is None:
            stack.callback(executor.close)
        stage("loading the task where it is trained", 0.0)
        executor.ready()
        stage("measuring what a trial costs here", seconds)
        return _Probing(executor, task, data, seconds, interrupted, inputs=inputs, configs=bench.configs()).run()


class _Probing:
    """The probes of one run: as many at a time as there are workers, until `seconds` are gone.

    Half of them are kept for what is under way then, until a probe has shown that it stops when it is asked to. Where
    the first was cut in its evaluation, the second is to come to one.
    """

    def __init__(
        self,
        executor: Executor,
        task: Task,
        data: tuple[float, float],
        seconds: float,
        interrupted: Callable[[], bool],
        *,
        inputs: Rung | None = None,
        configs: Sequence[Config] = (),
    ) -> None:
        self._executor, self._task, self._data = executor, task, data
        self._inputs = inputs or task.fidelity.full
        self._most, self._interrupted = seconds, interrupted
        self._seconds = seconds - min(GRACE, seconds / 2)
        self._waiting = list(enumerate(_different([*configs, *_configs(task)])[:CONFIGS]))[::-1]
        self._found: list[Probe] = []
        self._cost = 0.0
        self._epochs = SHORT
        self._again = False  # whether the first is repeated
        self._error, self._failures = "", 0
        self._bound: Probe | None = None

    def run(self) -> Probed:
        """All of them."""
        executor, began = self._executor, self._executor.now
        while True:
            while not self._over and executor.busy < executor.slots:
                executor.submit(self._next(), 0)
            if self._over and not executor.busy:
                break
            if ended := executor.wait(Allowance(self._allowance, math.inf)):
                self._take(*ended)
        found, wall = _warm(self._found), executor.now - began
        if not found and self._bound:
            return Probed((self._bound,), self._cost, wall, bound=True)
        return Probed(found, self._cost, wall, "" if found else self._error)

    @property
    def _over(self) -> bool:
        return not self._waiting or self._cost >= self._seconds or self._failures >= FAILURES or self._interrupted()

    @property
    def _allowance(self) -> float:
        """Seconds for those in flight together."""
        if not self._cost:
            return FIRST_SHARE * self._seconds
        if self._again:
            return FIRST_SHARE * (self._seconds - self._cost)
        busy = max(1, self._executor.busy)
        return max(0.0, self._seconds - self._cost) * busy / (busy + len(self._waiting))

    def _next(self) -> Trial:
        number, config = self._waiting.pop()
        self._again = number == 1 and len(self._found) == 1 and _cut_in_evaluation(self._found[0])
        data = self._data[0 if self._again else min(number, 1)]
        inputs = self._inputs
        return Trial(number, config, self._task.fidelity.at(self._epochs, data, inputs.size, inputs.further))

    def _take(self, trial: Trial, outcome: Outcome) -> None:
        if outcome.virtual:
            self._error, self._failures = "its cost is virtual", FAILURES
            return
        if outcome.obstacle == "direction":
            raise BadDirection((outcome.error or "").partition(": ")[2])
        self._cost += outcome.cost
        pace = outcome.pace
        if outcome.failed and outcome.status != "diverged":
            reason = (outcome.error or "no reason given").strip().splitlines()[-1]
            self._error = f"the test run ended with status {outcome.status}: {reason}"
            self._failures += 1
        elif pace is None or pace.epochs <= 0:
            self._error = f"the test run gave no per-epoch reports in {outcome.cost:.3g}s, so there is no cost forecast"
            self._failures = FAILURES
            if outcome.status == "stopped" and not self._interrupted():
                pace = Pace(0.0, trial.rung.epochs, outcome.cost, 0.0, 0.0)
                self._bound = Probe(trial.config, trial.rung, pace)
        else:
            whole = outcome.status == "ok"
            closing = outcome.cost - pace.startup - pace.training - pace.evaluation if whole else 0.0
            # not `outcome.rung`: of a trial that was stopped within its first epoch that has less data, and `pace`
            # counts in epochs of what was asked for
            self._found.append(Probe(trial.config, trial.rung, pace, max(0.0, closing)))
            self._seconds = self._most  # it stops when it is asked to, so nothing need be kept for it
            if whole and outcome.cost < SOON:
                self._epochs = self._task.fidelity.epoch_range[1]


def _cut_in_evaluation(probe: Probe) -> bool:
    """Whether an epoch was trained, and nothing is known of what to evaluate it costs."""
    return probe.pace.epochs >= 1 and not probe.pace.evaluations


def _warm(found: Sequence[Probe]) -> tuple[Probe, ...]:
    """With the median start of them all: the first in a process waits for libraries and data, later ones do not."""
    if not found:
        return ()
    start = median_low(probe.pace.startup for probe in found)
    return tuple(replace(probe, pace=probe.pace._replace(startup=start)) for probe in found)


def _different(configs: Sequence[Config]) -> list[Config]:
    return list({config_key(config): config for config in configs}.values())


def _configs(task: Task) -> list[Config]:
    """The default configuration and random ones, the same for every seed."""
    space = deepcopy(task.space)
    space.seed(0)
    drawn = [space.get_default_configuration(), *sample(space, CONFIGS - 1)]
    return [plain(config) for config in drawn]
