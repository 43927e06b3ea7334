"""Workers of a Dask cluster: trials on other machines, in processes that can be killed as they can here."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mfbo.checkpoint import Checkpoints
from mfbo.errors import NoCluster
from mfbo.executors import patience
from mfbo.executors.dask_worker import ANSWER, GONE, DaskWorker
from mfbo.executors.evaluate import TrialSetup, cut
from mfbo.executors.remote import TOKEN, SlotSpec
from mfbo.executors.system import StandStill, short_of
from mfbo.executors.worker import packed

if TYPE_CHECKING:
    from collections.abc import Callable

    from mfbo.executors import Allowance
    from mfbo.task import Task
    from mfbo.trial import Outcome, Trial

TICK = 1.0  # seconds that `wait` takes at most where nothing happens
LOOK = 0.5  # seconds between looks at which workers there are
PATIENCE = 30.0  # seconds that a trial has to report after Ctrl-C; a second Ctrl-C ends it at once


def connect(scheduler: str) -> Any:
    """A client of the Dask scheduler at an address, or of the one that a scheduler file names.

    Raises:
        NoCluster: nothing answers there.
    """
    from distributed import Client

    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # what goes wrong is said once, by us
    where = {"address": scheduler} if "://" in scheduler else {"scheduler_file": scheduler}
    try:
        return Client(**where, timeout=ANSWER, set_as_default=False, name="mfbo")
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        text = f"no Dask scheduler answers at {scheduler!r} ({type(error).__name__}: {reason})"
        raise NoCluster(f"{text}; start one with `dask scheduler`, or name another by --scheduler") from error


class DaskExecutor:
    """Runs trials on the workers of a Dask cluster, one on each; workers may come and go.

    Args:
        task: what to run.
        setup: of the run.
        scheduler: ``tcp://host:port``, or a scheduler file.
        most: of the workers to use; None for all.
        grace: seconds that the trials in flight have to report once the limit is reached, before they are killed; of a
            limit of cost each has its share.
        note: is told what the user should know, in one line.
        interrupted: whether the user asked to stop.
        wall: what the run's clock showed when it was left.
        max_seconds: most a trial may take.
        max_bytes: most memory that a trial's processes may hold.

    Raises:
        NoCluster: the scheduler does not answer; later, from `slots` and `wait`: it is gone, or no worker can be used.
    """

    def __init__(
        self,
        task: Task,
        setup: TrialSetup,
        *,
        scheduler: str,
        most: int | None = None,
        grace: float,
        note: Callable[[str], None] = lambda text: None,
        interrupted: Callable[[], bool] = lambda: False,
        wall: float = 0.0,
        max_seconds: float | None = None,
        max_bytes: float | None = None,
    ) -> None:
        self._task, self._scheduler = task, scheduler
        self._most, self._grace = most, grace
        self._note, self._interrupted = note, interrupted
        self._workers: dict[str, DaskWorker] = {}
        self._lost: list[tuple[Trial, Outcome]] = []
        self._looked = 0.0
        self._still = StandStill()
        self._waits = self._scratch = False
        token, content = uuid4().hex, packed(task)
        self._client = connect(scheduler)
        setup, self._token = _shared(setup, token)
        self._spec = SlotSpec(content, task.fidelity, setup, token, Path.cwd(), max_seconds, max_bytes)
        self._began = time.monotonic() - wall

    @property
    def slots(self) -> int:
        """Workers that can be used now."""
        self._look()
        return sum(worker.ready for worker in self._workers.values())

    @property
    def busy(self) -> int:
        """Trials in flight, and those that were lost and not yet waited for."""
        return sum(worker.trial is not None for worker in self._workers.values()) + len(self._lost)

    @property
    def now(self) -> float:
        """Seconds on the run's clock."""
        return time.monotonic() - self._began

    def ready(self) -> None:
        """Nothing to wait for: workers come and go."""

    def submit(self, trial: Trial, start_epoch: int, began: float | None = None) -> None:
        """Start `trial` on a free worker; best on one that sees the checkpoints."""
        free = [worker for worker in self._workers.values() if worker.ready and worker.trial is None]
        worker = max(free, key=lambda worker: worker.shares)
        worker.submit(trial, start_epoch if worker.shares or self._task.stateless else 0)

    def wait(self, allowance: Allowance) -> tuple[Trial, Outcome] | None:
        """The next trial that ends, or None when there is a worker for another one."""
        entered = time.monotonic()
        limit, until = entered + allowance.wall, entered + TICK
        room = self.slots - self.busy
        while not self._lost:
            for worker in self._workers.values():
                if worker.trial is not None and (outcome := worker.poll()):
                    assert worker.last is not None
                    return worker.last, cut(self._task, outcome, allowance.cost) if outcome.virtual else outcome
            if self._interrupted():
                self._stop("interrupted", PATIENCE)
            elif self.busy and sum(worker.seconds for worker in self._workers.values()) >= allowance.cost:
                self._stop("time", patience(self._grace, self.busy))
            elif time.monotonic() >= limit:
                self._stop("time", patience(self._grace, 1))
            if self.slots - self.busy > room or (not self.busy and (self._interrupted() or time.monotonic() >= limit)):
                return None
            if time.monotonic() >= until:
                return None
            limit += self._nap(short_of(time.monotonic() - entered))
        return self._lost.pop(0)

    def printed(self) -> list[tuple[Trial, str]]:
        """What trials in flight have printed last, as their workers told last."""
        workers = self._workers.values()
        return [(worker.trial, worker.said) for worker in workers if worker.trial is not None and worker.said]

    @property
    def paused(self) -> float:
        """Seconds that the trials in flight were stopped, in all."""
        return sum(worker.paused for worker in self._workers.values())

    def abandon(self) -> list[tuple[Trial, Outcome]]:
        """Give up all trials in flight, and the workers that they were in."""
        for worker in self._workers.values():
            self._lose(worker)
        lost, self._lost = self._lost, []
        return lost

    def close(self) -> None:
        """End the processes that the run has on the workers; the cluster stays."""
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()
        self._client.close(timeout=ANSWER)
        if self._token:
            self._token.unlink(missing_ok=True)

    def _nap(self, seconds: float) -> float:
        """A moment's sleep; seconds that this process was stopped in it, which are charged to nobody."""
        self._still.before()
        time.sleep(seconds)
        if still := self._still.after(seconds):
            self._began += still
            for worker in self._workers.values():
                worker.skip(still)
        return still

    def _stop(self, reason: str, grace: float) -> None:
        for worker in self._workers.values():
            if worker.trial is not None:
                worker.stop(reason, grace)

    def _look(self) -> None:
        """Record workers that have come, gone or become ready."""
        for worker in self._workers.values():
            if worker.open():
                self._tell_of(worker)
        if time.monotonic() < self._looked + LOOK:
            return
        self._looked = time.monotonic()
        present = self._present()
        for address, worker in list(self._workers.items()):
            if worker.gone or address not in present:
                self._lose(self._workers.pop(address))
        for address in [address for address in present if address not in self._workers]:
            if self._most is None or sum(not worker.problem for worker in self._workers.values()) < self._most:
                self._workers[address] = DaskWorker(self._client, address, self._spec)
        self._judge()

    def _tell_of(self, worker: DaskWorker) -> None:
        """What the user should know of a worker that is new."""
        if worker.problem:
            self._note(f"worker {worker.address} cannot be used: {worker.problem}")
        elif self._token and not worker.shares and not self._scratch:
            self._scratch = True
            self._note(f"worker {worker.address} does not see the checkpoints: trials there start from scratch")

    def _present(self) -> list[str]:
        """Addresses of the workers there are; none where the scheduler is gone."""
        try:
            return list(self._client.nthreads(callback_timeout=ANSWER))
        except GONE as error:
            for worker in self._workers.values():
                self._lose(worker)
            if self._lost:  # what they had used is charged first; then the next look ends the run
                return []
            text = f"the Dask scheduler at {self._scheduler!r} does not answer any more"
            raise NoCluster(f"{text}; continue with `mfbo resume RUN --scheduler ADDRESS`") from error

    def _lose(self, worker: DaskWorker) -> None:
        if worker.trial is not None:
            trial = worker.trial
            self._lost.append((trial, worker.lost("was lost")))
        worker.close()

    def _judge(self) -> None:
        """Say it once where there are no workers; end where none of those there are can be used."""
        workers = self._workers.values()
        if workers and all(worker.problem for worker in workers):
            first = next(iter(workers))
            text = f"no worker of {self._scheduler!r} can run trials; {first.address}: {first.problem}"
            raise NoCluster(f"{text}; fix the workers, then continue with `mfbo resume RUN --scheduler ADDRESS`")
        if not workers and not self._waits:
            self._note(f"waiting for workers at {self._scheduler}")
        self._waits = not workers


def _shared(setup: TrialSetup, token: str) -> tuple[TrialSetup, Path | None]:
    """The setup with absolute paths; and the file by which a worker knows that it sees the run's folder."""
    if setup.checkpoints is None:
        return setup, None
    root = setup.checkpoints.root.resolve()
    file = root.parent / TOKEN
    file.parent.mkdir(parents=True, exist_ok=True)  # the folder of a measurement is made with its first checkpoint
    file.write_text(token, encoding="utf-8")
    return replace(setup, checkpoints=Checkpoints(root)), file
