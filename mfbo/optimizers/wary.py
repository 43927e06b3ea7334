"""An optimizer that leaves a choice alone which does nothing but fail.

A surrogate learns of failures as high losses, but random draws and a schedule's first configurations do not look at
it: of 288 trials 145 went into values that always fail. Here, whatever the optimizer asks for with such a value is told
as a failure at once, without a trial, and it is asked again. A value gets a further chance now and then, half as often
after each failure, since other hyperparameters may have been the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from mfbo.trial import Outcome, Trial

if TYPE_CHECKING:
    from mfbo.optimizers.spec import Optimizer
    from mfbo.task import Task
    from mfbo.trial import Config, Value

    Choice: TypeAlias = tuple[str, Value]

MIN_FAILURES = 4  # of a value without one success, and it is left alone
OPTIONAL_METHODS = (
    "add_result",
    "grow",
)  # what some optimizers can beside `Optimizer`, as `mfbo.optimizers.spec` has it
MAX_PASSED_OVER = 100  # proposals in one ask; then the next one is tried, whatever it holds


class Wary:
    """Passes over what an optimizer asks for where one of its choices has only failed.

    Args:
        optimizer: is asked and told in its place.
        choices: names of the categorical hyperparameters.
    """

    def __init__(self, optimizer: Optimizer, choices: Collection[str]) -> None:
        self._optimizer, self._choices = optimizer, tuple(choices)
        self._asked: list[Trial] = []
        self._failures: Counter[Choice] = Counter()
        self._successes: Counter[Choice] = Counter()
        self._passed: Counter[Choice] = Counter()  # since its last trial

    def ask(self) -> Trial | None:
        """As that of the optimizer, without values that only fail."""
        for _ in range(MAX_PASSED_OVER):
            trial = self._optimizer.ask()
            if trial is None or not (hopeless := self._hopeless(trial.config)):
                break
            self._passed.update(hopeless)
            self._optimizer.tell(trial, _passed_over(trial, hopeless))
        if trial is None:
            return None
        self._passed.subtract({choice: self._passed[choice] for choice in self._of(trial.config)})
        self._asked.append(trial)
        return replace(trial, id=len(self._asked) - 1)

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """As that of the optimizer."""
        (self._failures if outcome.failed else self._successes).update(self._of(trial.config))
        self._optimizer.tell(self._asked[trial.id], outcome)

    def pending(self) -> Collection[str] | None:
        """As that of the optimizer."""
        return self._optimizer.pending()

    def remember(self, configs: Sequence[Config]) -> None:
        """As that of the optimizer; only of use where none was passed over."""
        self._optimizer.remember(configs)

    def _of(self, config: Config) -> list[Choice]:
        return [(name, config[name]) for name in self._choices if name in config]

    def _hopeless(self, config: Config) -> list[Choice]:
        """Choices that have only failed, where another value has not, and whose next chance has not come."""
        return [choice for choice in self._of(config) if self._only_fails(choice) and not self._chance(choice)]

    def _only_fails(self, choice: Choice) -> bool:
        others = any(name == choice[0] and count for (name, _), count in self._successes.items())
        return others and self._failures[choice] >= MIN_FAILURES and not self._successes[choice]

    def _chance(self, choice: Choice) -> bool:
        return self._passed[choice] >= 1 << (self._failures[choice] - MIN_FAILURES + 3)


def wary(optimizer: Optimizer, task: Task) -> Optimizer:
    """`optimizer`, or what stands before it where `task` has choices."""
    from ConfigSpace import CategoricalHyperparameter

    several = [hp for hp in task.space.values() if isinstance(hp, CategoricalHyperparameter) and len(hp.choices) > 1]
    choices = [hp.name for hp in several]
    if not choices:
        return optimizer
    more = {
        name: lambda self, *values, name=name, **options: getattr(self._optimizer, name)(*values, **options)
        for name in OPTIONAL_METHODS
        if hasattr(optimizer, name)
    }
    return type("Wary", (Wary,), more)(optimizer, choices) if more else Wary(optimizer, choices)


def _passed_over(trial: Trial, hopeless: Sequence[Choice]) -> Outcome:
    names = ", ".join(f"{name} {value!r}" for name, value in hopeless)
    return Outcome("failed", None, trial.rung, 0.0, error=f"not tried: {names} has only failed so far")
