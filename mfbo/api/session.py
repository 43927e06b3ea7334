"""`mfbo.Session`: ask and tell in a loop of one's own, with the limits, the ledger and the report of `mfbo.tune`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from mfbo.api.progress import shown
from mfbo.api.settings import split_settings
from mfbo.engine.opening import new_run, taken_up
from mfbo.engine.replay import Replay, replay
from mfbo.engine.result import TuneResult, result_of
from mfbo.engine.running import running
from mfbo.errors import BadValue, RunError, TrialStopped
from mfbo.executors.evaluate import Failure, capped, failure_of, outcome_of
from mfbo.executors.own_loop import OwnLoopExecutor
from mfbo.fidelity import Fidelity
from mfbo.ledger.writer import Ledger
from mfbo.settings import Settings
from mfbo.space import kept_space
from mfbo.task import Task
from mfbo.trial import Measurement

if TYPE_CHECKING:
    from types import TracebackType

    from ConfigSpace import ConfigurationSpace
    from typing_extensions import Self, Unpack

    from mfbo.api.run import LimitOptions
    from mfbo.context import Context
    from mfbo.goal import Goal
    from mfbo.ledger.observer import Observer
    from mfbo.ledger.run import Run
    from mfbo.optimizers.spec import Optimizer
    from mfbo.trial import Outcome, Trial

IN_THIS_PROCESS = 0  # workers of a run whose trials the caller runs
OF_WORKERS = ("workers", "scheduler", "max_trial_time", "max_trial_memory")  # settings that mean nothing here


class Session:
    """A run whose trials you run yourself; one at a time, or several that are out at once.

    >>> from ConfigSpace import ConfigurationSpace
    >>> with Session(ConfigurationSpace({"x": (-1.0, 1.0)}), Fidelity(epochs=(1, 9)), max_cost="3x") as session:
    ...     while trial := session.ask():
    ...         session.tell(trial, trial.config["x"] ** 2 + 1 / trial.rung.epochs)
    >>> session.result.best.loss < 1
    True

    A trial costs the seconds from its `ask` to its `tell`, or those that `tell` is given; in a budget of full
    evaluations such as ``20x`` it costs the work of its fidelity. All methods may be called from several threads.

    Args:
        space: the hyperparameters.
        fidelity: what can be cut down to make an evaluation cheaper.
        max_cost: ``2h``, ``90m``, ``20x`` (full evaluations), ``5USD`` where there is a price, or a number of seconds.
        max_trials: ends after this number of finished trials.
        max_wall: duration by the clock.
        out: folder of the ledger and the checkpoints; None keeps the run in memory.
        name: of what is tuned, in the ledger and the report.
        observer: is told what happens.
        progress: show lines of progress; off by default, since your loop may print lines of its own.
        path: through the fidelity, as ``fidelity`` of `mfbo.tune`.
        asked: as for `mfbo.tune`: ``optimizer``, ``seed``, ``eta``, ``prior``, ``price``, ...

    Attributes:
        status: why `ask` gives no more trials: ``budget``, ``trials``, ``wall``, ``exhausted``, ``gain``, ``failed``,
            and ``interrupted`` where an observer asked to stop; empty while it may give one.

    Raises:
        MfboError: a mistake that a person can mend; nothing was written.
    """

    def __init__(
        self,
        space: ConfigurationSpace,
        fidelity: Fidelity | None = None,
        max_cost: str | float | None = None,
        *,
        max_trials: int | None = None,
        max_wall: str | None = None,
        out: Path | str | None = None,
        name: str = "own-loop",
        observer: Observer | None = None,
        progress: bool = False,
        path: str | None = None,
        **asked: Any,
    ) -> None:
        watching, folder = shown(progress, observer), None if out is None else Path(out)
        values: dict[str, Any] = {"fidelity": path, **asked}
        if useless := [option for option in OF_WORKERS if option in values]:
            raise BadValue(
                f"{useless[0]}={values[useless[0]]!r}: your own loop runs the trials of a session; leave it out"
            )
        settings = replace(split_settings(Session, None, values), workers=IN_THIS_PROCESS)
        new = new_run(
            Task(name, space, _run_by_the_caller, fidelity or Fidelity()),
            max_cost,
            search=None,
            max_trials=max_trials,
            max_wall=max_wall,
            folder=folder,
            settings=settings,
            observer=watching,
            own_loop=True,
            **values,
        )
        self._open(Ledger.create(new.header, folder), new.task, new.optimizer, new.header.settings, watching)

    @classmethod
    def resume(
        cls,
        run: Path | str,
        *,
        observer: Observer | None = None,
        progress: bool = False,
        **limits: Unpack[LimitOptions],
    ) -> Self:
        """Go on with the session in folder `run`; trials that were out are asked for again.

        Args:
            run: its folder.
            observer: as for a new session.
            progress: the same.
            limits: new limits in all, not in addition: ``max_cost``, ``max_trials``, ``max_wall``; the others stay.

        Raises:
            RunError: no session is kept there, or another process writes to it.
            RunChanged: its optimizer asks for something else than it did.
        """
        watching = shown(progress, observer)
        ledger = Ledger.reopen(Path(run))
        try:
            header = ledger.run.header
            if not header.own_loop:
                raise RunError(
                    f"{str(run)!r} is no session: its trials run by mfbo; go on with mfbo.resume({str(run)!r})"
                )
            task = Task(header.task, kept_space(header.space), _run_by_the_caller, header.fidelity)
            new = {"max_cost": None, "max_trials": None, "max_wall": None, **limits}
            optimizer, settings = taken_up(ledger, task, header.settings, watching, command="", new=new)
        except BaseException:
            ledger.close()
            raise
        session = cls.__new__(cls)
        session._open(ledger, task, optimizer, settings, watching)
        return session

    def _open(self, ledger: Ledger, task: Task, optimizer: Optimizer, settings: Settings, observer: Observer) -> None:
        self.status = ""
        self._lock, self._stack = RLock(), ExitStack()
        self._task, self._ledger, self._observer = task, ledger, observer
        self._executor = OwnLoopExecutor(ledger.run.wall)
        self._told: set[int] = {result.trial.id for result in ledger.run.results if result.outcome.final}
        self._stack.enter_context(ledger)
        self._parts = self._stack.enter_context(
            running(
                task,
                optimizer,
                ledger,
                settings=settings,
                observer=observer,
                interrupted=lambda: observer.stop_requested,
                executor=self._executor,
            )
        )
        self._executor.setup = self._parts.setup
        self._closed = False

    def ask(self) -> Trial | None:
        """The next trial: ``trial.config`` is to be evaluated at ``trial.rung``.

        None where there is none now: for good where `status` says why; else the optimizer waits for the results of
        trials that are out, and has another one once some are told.

        Raises:
            RunError: the session is closed.
            RunPaused: the disk is full.
        """
        with self._lock:
            self._check_open()
            self._executor.want()
            with self._parts.loop.pausing():
                reason = self._parts.loop.start()
            trial = self._executor.handed()
            self.status = "" if self._executor.busy else reason
            return trial

    def report(self, trial: Trial | int, loss: float, *, epoch: float | None = None) -> bool:
        """Say how a trial goes, once an epoch; whether it is to go on.

        Where it is not, since the budget is used up or the loss is no number, call ``tell(trial)`` without a loss: what
        was reported is kept as a partial result.

        Args:
            trial: one that is out.
            loss: validation loss now, or what the run's ``metric`` is now, in its own sign.
            epoch: epochs done, those of the checkpoint included; by default one more than at the last report.

        Raises:
            BadValue: the trial is not out, or what is said is no number.
        """
        with self._lock:
            asked, context = self._flight(trial)
            try:
                context.report(loss, epoch=epoch)
            except TrialStopped:
                return False
            except (TypeError, ValueError) as error:
                raise BadValue(
                    f"report of trial {asked.id}: loss {loss!r:.60}, epoch {epoch!r:.60}; give numbers, the epoch "
                    "finite and not below 0"
                ) from error
            allowance = self._parts.loop.allowance
            if self._executor.seconds() >= allowance.cost or allowance.wall <= 0:
                context.stop_reason = "time"
            elif self._observer.stop_requested:
                context.stop_reason = "interrupted"
            return context.stop_reason is None

    def tell(
        self,
        trial: Trial | int,
        loss: float | Measurement | Mapping[str, float] | None = None,
        *,
        metrics: Mapping[str, float] | None = None,
        cost: float | None = None,
        error: BaseException | str | None = None,
    ) -> None:
        """Say what became of a trial; each is told once.

        Args:
            trial: one that is out.
            loss: validation loss at the end, or the run's ``metric`` in its own sign, or numbers by name with that
                among them; NaN or infinity where training diverged. None with an `error`, or where `report` said to
                stop.
            metrics: further numbers to keep, such as accuracy or size.
            cost: seconds to charge; None for those since `ask`.
            error: why there is no loss; an exception of memory that ran out is kept as that.

        Raises:
            BadValue: the trial was never asked for, or told already; a loss that is no number; or neither loss nor
                error.
            RunPaused: the disk is full.
        """
        with self._lock:
            asked, context = self._flight(trial)
            measurement = None if loss is None else _measured(loss, metrics, self._ledger.run.header.goal)
            if measurement is None and error is None and context.stop_reason is None:
                raise BadValue(f"trial {asked.id} has neither a loss nor an error; give tell(trial, loss) or error=...")
            if measurement is not None and error is not None:
                raise BadValue(f"trial {asked.id} is told of a loss and of an error; give one of them")
            failure = None if error is None else _failure(error)
            outcome = _at_cost(outcome_of(self._task, asked, context, measurement, failure), cost)
            self._end(asked, outcome)

    def context(self, trial: Trial | int) -> Context:
        """Of a trial that is out: seed, device, ``start_epoch``, ``checkpoint``, ``save`` and ``evaluating``.

        Raises:
            BadValue: the trial is not out.
        """
        with self._lock:
            return self._flight(trial)[1]

    @property
    def outstanding(self) -> list[Trial]:
        """The trials that are out."""
        with self._lock:
            return [trial for trial, _ in self._executor.flights.values()]

    @property
    def run(self) -> Run:
        """All that has happened so far."""
        return self._ledger.run

    @property
    def result(self) -> TuneResult:
        """What there is to show so far."""
        return result_of(self._ledger.run)

    def replay(self) -> Replay:
        """Whether the optimizer, asked anew with the results of this session, asks for the same trials."""
        return replay(self._ledger.run)

    def close(self) -> None:
        """End the session: trials that are out are kept as partial results, and asked for again by `resume`."""
        self._close("")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close("interrupted" if kind else "")

    def _close(self, status: str) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            with self._stack:
                for trial, context in list(self._executor.flights.values()):
                    context.stop_reason = context.stop_reason or "interrupted"
                    self._end(trial, outcome_of(self._task, trial, context, None, None))
                self._parts.status = status or self.status or "interrupted"

    def _end(self, trial: Trial, outcome: Outcome) -> None:
        del self._executor.flights[trial.id]
        self._told.add(trial.id)
        with self._parts.loop.pausing():
            self._parts.loop.take(trial, outcome)

    def _flight(self, trial: Trial | int) -> tuple[Trial, Context]:
        self._check_open()
        number = trial if isinstance(trial, int) else getattr(trial, "id", trial)
        if number in self._executor.flights:
            asked, context = self._executor.flights[number]
            if number is not trial and asked != trial:
                raise BadValue(f"trial {number} of this session has another configuration or fidelity; tell {asked}")
            return asked, context
        if number in self._told:
            raise BadValue(f"trial {number} was told already; each is told once")
        out = ", ".join(map(str, self._executor.flights)) or "none; call ask() first"
        raise BadValue(f"trial {number!r} was never asked for in this session; those that are out: {out}")

    def _check_open(self) -> None:
        if self._closed:
            folder = self._ledger.run.folder
            more = f"; go on with mfbo.Session.resume({str(folder)!r})" if folder else ""
            raise RunError(f"this session is closed{more}")


def _measured(
    loss: float | Measurement | Mapping[str, float], metrics: Mapping[str, float] | None, goal: Goal
) -> Measurement:
    """What was told, as plain numbers."""
    if isinstance(loss, Mapping):
        if goal.name not in loss:
            raise BadValue(f"told {dict(loss)!r:.60}: the run measures {goal.name!r}; name it, or give a number alone")
        found = Measurement(loss[goal.name], {**goal.others(loss), **(metrics or {})})
    else:
        found = loss if isinstance(loss, Measurement) else Measurement(loss, metrics or {})
    try:
        if isinstance(found.loss, bool):
            raise TypeError(found.loss)
        return Measurement(float(found.loss), {str(name): float(value) for name, value in found.metrics.items()})
    except (TypeError, ValueError) as error:
        raise BadValue(f"loss {found.loss!r} with metrics {dict(found.metrics)!r}: give numbers") from error


def _failure(error: BaseException | str) -> Failure:
    return ("failed", capped(error)) if isinstance(error, str) else failure_of(error)


def _at_cost(outcome: Outcome, cost: float | None) -> Outcome:
    """The same with the seconds that the caller says."""
    if cost is None:
        return outcome
    if isinstance(cost, bool) or not (isinstance(cost, int | float) and 0 <= cost < math.inf):
        raise BadValue(f"cost {cost!r}: give seconds, finite and not below 0")
    scale = cost / outcome.cost if outcome.cost > 0 else 0.0
    reports = tuple(report._replace(cost=report.cost * scale) for report in outcome.reports)
    return replace(outcome, train=float(cost), evaluation=0.0, reports=reports, pace=None)


def _run_by_the_caller(*arguments: object) -> float:
    raise RunError("the trials of a session run in your own loop; go on with mfbo.Session.resume")
