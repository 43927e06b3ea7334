"""The only loop: asks the optimizer, pays the executor, writes the ledger, until a limit is reached."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from mfbo.engine.overhead import Overhead
from mfbo.engine.repeats import Repeats
from mfbo.engine.stopping import Stopping
from mfbo.engine.watchdog import PAUSES, Edits, Watchdog, no_worker, obstacle_of
from mfbo.errors import BadDirection, RunPaused
from mfbo.evidence.curves import Incumbent
from mfbo.executors import Allowance
from mfbo.ledger.run import GAIN
from mfbo.optimizers.spec import GrowsLadder
from mfbo.planning.replan import Replanning

if TYPE_CHECKING:
    from mfbo.cost.meter import Meter
    from mfbo.engine.retention import Retention
    from mfbo.executors import Executor
    from mfbo.ledger.observer import Observer
    from mfbo.ledger.run import Result, Run
    from mfbo.ledger.writer import Ledger
    from mfbo.optimizers.spec import Optimizer
    from mfbo.planning.growth import Growth
    from mfbo.task import Task
    from mfbo.trial import Outcome, Rung, Trial

MAX_FIRST_FAILURES = 5  # first trials without one success, after which the run stops
MEMORY_FAILURE_SHARE = 0.25  # of one, for a trial out of memory: it says what to leave out, and others may fit
STRETCH = 1.5  # times what is left: a trial of such a forecast is begun where nothing fits
SPARE_FACTOR = 3  # times the dearest trial so far, by work: with so much left, one is begun whatever its forecast
MAX_IDLE_SHARE = 0.1  # of a budget that may be left over, where a trial that reports on its way could use it
MAX_MISFITS = 3  # trials that do not fit into what is left, after which no other one is asked for
MIN_GAP = 3.0  # seconds by the clock that are in no cost and are worth a word
MAX_UNSTARTED = 3  # trials in a row that never began, after which the run stops
MAX_LOSSES = 3  # a trial that was lost so often has failed


class Loop:
    """One run, from its first ask, or from where it was left.

    Args:
        task: what is tuned.
        optimizer: in the state that the ledger tells of.
        executor: runs the trials; its clock is the run's.
        ledger: open for writing.
        meter: has read the ledger.
        observer: is told what happens.
        interrupted: whether the user asked to stop.
        retention: of the run's checkpoints; None if every trial starts from scratch.
        growth: says when the ladder grows; None where it cannot.
    """

    def __init__(
        self,
        *,
        task: Task,
        optimizer: Optimizer,
        executor: Executor,
        ledger: Ledger,
        meter: Meter,
        observer: Observer,
        interrupted: Callable[[], bool],
        retention: Retention | None,
        growth: Growth | None = None,
    ) -> None:
        self._task, self._optimizer, self._executor = task, optimizer, executor
        self._ledger, self._meter, self._observer = ledger, meter, observer
        self._interrupted, self._retention, self._growth = interrupted, retention, growth
        self._replanning = None if growth is None else Replanning(ledger.run, meter)
        self._overhead = Overhead(counts=not task.simulated)
        self._asks: deque[float] = deque(maxlen=10)
        self._failures = 0.0
        self._hindered = 0  # trials in a row that never began
        self._watchdog = Watchdog()
        self._entered = executor.now, ledger.run.seconds
        self._edits = Edits(task.source)
        self._stopping = Stopping(ledger.run, observer.on_note)
        self._gone = ""  # the limit at which a trial was stopped
        self._incumbent = Incumbent(ledger.run.header.rungs, ledger.run.header.search.constraints)
        self._levels = _levels(task, ledger.run)
        self._done: dict[str, int] = defaultdict(int)
        self._losses: dict[int, int] = defaultdict(int)
        self._repeats = Repeats(task.space)
        self._waiting = ledger.run.open
        for result in ledger.run.results:
            self._note(result)
        self._failures = 0.0  # those before an interruption may have been mended
        self._repeats = Repeats(task.space)
        self._began = _beginnings(ledger.run)

    def run(self) -> str:
        """Go on until there is a reason to stop; the reason, as `TuneResult.status` has it.

        Raises:
            RunPaused: the disk is full, the run's folder read-only, or no worker can begin a trial; nothing is lost,
                and the run can be resumed.
        """
        with self.pausing():
            status = self._run()
            self._say_gap()
            return status

    @contextmanager
    def pausing(self) -> Iterator[None]:
        """What is done with the loop in here can end with a full disk, or a folder that became read-only.

        Raises:
            RunPaused: it has.
        """
        try:
            yield
        except OSError as error:
            if obstacle := obstacle_of(error, self._ledger.run):
                raise RunPaused(PAUSES[obstacle](self._ledger.run)) from error
            raise

    def _say_gap(self) -> None:
        """Say how much of the time by the clock is in no cost, where that is much of it."""
        run, executor = self._ledger.run, self._executor
        elapsed = executor.now - self._entered[0]
        gap = elapsed - (run.seconds - self._entered[1]) / max(1, executor.slots)
        if self._overhead.counts and gap > max(MIN_GAP, 0.1 * elapsed):
            self._observer.on_note(
                f"{gap:.0f}s of the {elapsed:.0f}s by the clock are in no trial's cost: starting, waiting"
            )

    def _run(self) -> str:
        while True:
            status = self.start()
            if status and not self._executor.busy:
                return status
            for ended in self._ended():
                self.take(*ended)

    def start(self) -> str:
        """Start trials on all free slots; why no more can be started, as `TuneResult.status` has it, or nothing."""
        if self._interrupted():
            return "interrupted"
        if self._incumbent.best is None and (self._failures >= MAX_FIRST_FAILURES or self._repeats.certain):
            return "failed"
        with self._overhead.counting():
            return GAIN if self._stopping.enough() else self._fill()

    @property
    def overhead(self) -> float:
        """Seconds of the run itself since the last result; none on a virtual clock."""
        return self._overhead.seconds

    def _ended(self) -> list[tuple[Trial, Outcome]]:
        """Trials that have ended; none where there is room for another one, or the user wants to stop."""
        executor = self._executor
        room = executor.slots - executor.busy
        while not (ended := executor.wait(self.allowance)):
            self._say_edits()
            for trial, line in executor.printed():
                self._observer.on_output(trial, line)
            if not executor.busy or executor.slots - executor.busy != room or self._interrupted():
                return []
            if self._watchdog.bites(executor, self.allowance):
                return executor.abandon()
        self._say_edits()
        return [ended]

    def _say_edits(self) -> None:
        if said := self._edits.notice():
            self._observer.on_note(said)

    def _fill(self) -> str:
        """Start trials on all free slots; why no more can be started, if there is a reason."""
        if self._gone:
            return self._gone
        aside: list[Trial] = []  # what is left does not pay for them
        try:
            return self._fill_beside(aside)
        finally:
            self._waiting[:0] = aside

    def _fill_beside(self, aside: list[Trial]) -> str:
        while not (reason := self._meter.over(self._executor.now, self.overhead)):
            if self._executor.busy >= self._executor.slots:
                return ""
            if not self._waiting:
                if self._meter.seconds_left(self.overhead) <= self._longest:
                    return "budget"  # it would be spent on overhead
                if aside and not (len(aside) < MAX_MISFITS and self._room()):
                    return "" if self._begin_anyway(aside) else "budget"
            trial = self._next()
            if trial is None and aside:
                return "" if self._begin_anyway(aside) else "budget"
            if trial is None:
                return "exhausted"
            if not self._start(trial):
                aside.append(trial)
        return reason

    def _begin_anyway(self, aside: list[Trial]) -> bool:
        """Start one whose forecast does not fit, where that may be wrong: the rest would buy nothing else.

        It does where the forecast is little too high, or far from what the work that was done took, or where much is
        left. A trial that takes too long is stopped in the end, and counts as far as it came.
        """
        if not self._overhead.counts or self._meter.unit != "s" or self._executor.busy:
            return False
        left = min(self._meter.seconds_left(self.overhead), self._meter.wall_left(self._executor.now))
        done = [result.outcome for result in self._ledger.run.results if result.outcome.status == "ok"]
        costs = {trial.id: self._meter.predict(trial.rung, self._start_epoch(trial), trial.config) for trial in aside}
        much = left > MAX_IDLE_SHARE * (left + self._ledger.run.spent) and any(_reports_within(one) for one in done)
        for trial in sorted(aside, key=lambda trial: costs[trial.id]):
            seen = [outcome.cost * max(1.0, trial.rung.work / outcome.rung.work) for outcome in done]
            if much or costs[trial.id] <= STRETCH * left or (seen and SPARE_FACTOR * max(seen) <= left):
                aside.remove(trial)
                self._submit(trial, trial.rung, self._start_epoch(trial))
                return True
        return False

    def _room(self) -> bool:
        """Whether what is left pays for another configuration whose result could become the incumbent."""
        rungs = self._ledger.run.header.rungs
        lowest = next((rung for rung in rungs if rung.work >= self._least - 1e-9), rungs[-1])
        return self._meter.fit(lowest, 0, ()) is not None

    def _next(self) -> Trial | None:
        """A trial that was left open, or a new one."""
        if self._waiting:
            return self._waiting.pop(0)
        began = time.perf_counter()
        trial = self._optimizer.ask()
        self._asks.append(time.perf_counter() - began)
        if trial is not None:
            self._ledger.ask(trial)
        return trial

    @property
    def _longest(self) -> float:
        """Seconds of the longest of the last asks; none on a virtual clock."""
        return max(self._asks, default=0.0) if self._overhead.counts else 0.0

    def _start(self, trial: Trial) -> bool:
        """Submit `trial`, at a lower rung where the rest of the budget pays for no more; whether it pays for any."""
        start = self._start_epoch(trial)
        rung = self._meter.fit(trial.rung, start, self._useful(trial.rung), trial.config) or self._first(trial)
        if rung is None or self._meter.over(self._executor.now, self.overhead):
            return False
        self._submit(trial, rung, start)
        return True

    def _submit(self, trial: Trial, rung: Rung, start: int) -> None:
        """Run `trial` at `rung`, and put its cost aside."""
        self._meter.reserve(trial.id, rung, start, trial.config)
        self._observer.on_trial(trial)
        lowered = trial if rung == trial.rung else type(trial)(trial.id, trial.config, rung)
        self._watchdog.submitted(trial.id)
        with self._overhead.aside():  # from here on the trial is charged
            self._executor.submit(lowered, start, self._began.pop(trial.id, None))

    def _first(self, trial: Trial) -> Rung | None:
        """Where nothing is known yet, the cheapest rung, whatever the forecast: what is reported on the way counts."""
        known = self._incumbent.best is not None
        if known or not self._overhead.counts or self._meter.unit != "s" or self._executor.busy:
            return None
        return min((trial.rung, *self._useful(trial.rung)), key=lambda rung: rung.work)

    def _useful(self, rung: Rung) -> list[Rung]:
        """Rungs below `rung` whose result could still become the incumbent."""
        return [other for other in self._levels if self._least - 1e-9 <= other.work < rung.work]

    @property
    def _least(self) -> float:
        """Work that a result must have done to become the incumbent."""
        best = self._incumbent.best
        return best.outcome.rung.work if best else 0.0

    def _start_epoch(self, trial: Trial) -> int:
        if self._task.stateless:
            done = self._done[trial.key]
            return done if done < trial.rung.epochs else 0
        return self._retention.epochs(trial) if self._retention else 0

    @property
    def allowance(self) -> Allowance:
        """What the trials in flight may still use together."""
        wall = self._meter.wall_left(self._executor.now)
        return Allowance(max(0.0, self._meter.seconds_left(self.overhead)), max(0.0, wall))

    def take(self, ran: Trial, outcome: Outcome) -> None:
        """Record what became of a trial, then tell the optimizer.

        Raises:
            RunPaused: as `run`.
        """
        self._overhead.counts = not outcome.virtual
        with self._overhead.counting():
            self._take(ran, outcome)

    def _take(self, ran: Trial, outcome: Outcome) -> None:
        run = self._ledger.run
        trial = run.asks[ran.id]
        self._watchdog.ended(trial.id)
        if outcome.obstacle in PAUSES:
            raise RunPaused(PAUSES[outcome.obstacle](run))
        if outcome.obstacle == "direction" and not run.results:  # every other trial would say the same
            raise BadDirection((outcome.error or "").partition(": ")[2])
        overhead = self._overhead.charged()
        if outcome.status == "stopped":  # what is in flight beside it will be charged, and pays for no more
            self._gone = "wall" if self._meter.wall_left(self._executor.now) <= 0 else "budget"
        if ran.rung != trial.rung and outcome.status == "ok":
            outcome = replace(outcome, status="stopped")  # not at the rung that was asked for, so the ask stays open
        if outcome.obstacle == "start":  # says nothing about the configuration
            self._waiting.insert(0, trial)
            outcome = replace(outcome, status="lost")
        elif outcome.status == "lost":
            outcome = self._again(trial, outcome)
        result = self._ledger.result(
            trial, outcome, overhead=overhead, charge=self._meter.price(outcome, overhead), wall=self._executor.now
        )
        self._meter.take(result)
        self._note(result)
        self._observer.on_result(result, self._incumbent.best)
        if outcome.final:
            self._optimizer.tell(trial, outcome)
        self._hindered = self._hindered + 1 if outcome.obstacle == "start" else 0
        if self._hindered >= MAX_UNSTARTED:
            raise RunPaused(no_worker(run, outcome.error))
        if self._retention:
            self._retention.after(result, self._incumbent.best, self._optimizer.pending(), self._incumbent.highest)
        self._replan()

    def _replan(self) -> None:
        """Plan again where costs are far from what was planned; have rungs on top, or fewer, by what trials cost."""
        if self._growth is None or self._replanning is None or not isinstance(self._optimizer, GrowsLadder):
            return
        factor = self._replanning.factor()
        if factor is not None:
            self._growth.look_now()
            if factor > 1 and (lower := self._replanning.lowered()):
                self._use_ladder(self._optimizer, lower)
                self._observer.on_note(f"trials cost too much for a higher level than {lower[-1]}")
        top = None
        while higher := self._growth.grown():
            self._use_ladder(self._optimizer, higher.rungs, best=higher.best)
            top = higher
            if factor is None:
                break
            self._growth.look_now()
        if top is not None:
            self._observer.on_note(f"{top.reason}: {top.rungs[-1]}")
        if factor is not None:
            self._ledger.planned(self._replanning.plan())
            if said := self._replanning.words(factor):
                self._observer.on_note(said)

    def _use_ladder(self, optimizer: GrowsLadder, rungs: list[Rung], *, best: bool = False) -> None:
        self._ledger.ladder(rungs, best=best)
        optimizer.grow(rungs, best=best)
        self._incumbent, self._levels = Incumbent(rungs, self._ledger.run.header.search.constraints), rungs
        for result in self._ledger.run.results:
            self._incumbent.add(result)

    def _again(self, trial: Trial, outcome: Outcome) -> Outcome:
        """Have a lost trial run again, unless it seems to be what the machines are lost of."""
        if self._losses[trial.id] + 1 >= MAX_LOSSES:
            return replace(outcome, status="killed", error=f"{MAX_LOSSES} machines were lost under it; {outcome.error}")
        self._waiting.insert(0, trial)
        return outcome

    def _note(self, result: Result) -> None:
        self._incumbent.add(result)
        outcome = result.outcome
        self._losses[result.trial.id] += outcome.status == "lost"
        if outcome.loss is not None and self._task.stateless:
            key = result.trial.key
            self._done[key] = max(self._done[key], outcome.rung.epochs)
        self._failures += MEMORY_FAILURE_SHARE if outcome.status == "memory" else outcome.failed
        self._repeats.add(result)


def _reports_within(outcome: Outcome) -> bool:
    """Whether a trial reported before its end, so that one that is stopped has a result."""
    return len(outcome.reports) > 1 or any(report.epoch < outcome.rung.epochs for report in outcome.reports)


def _levels(task: Task, run: Run) -> Sequence[Rung]:
    """Rungs for what is left of the budget at the end: the task's own, or those that a plan has made for the run."""
    header = run.header
    made = header.plan is not None and header.rungs[-1].work < 1 and len(header.rungs) > 1
    return header.rungs if made else task.fidelity.ladder(header.search.path)


def _beginnings(run: Run) -> dict[int, float]:
    """What the run's clock showed when each trial in flight began; those that were stopped begin anew."""
    wall, began = 0.0, {}
    for kind, index in run.events:
        if kind == "ask":
            began[index] = wall
        elif kind == "result":
            wall = run.results[index].wall
            began.pop(run.results[index].trial.id, None)
    return began
