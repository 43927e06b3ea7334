"""MLflow and TensorBoard: observers that write down each result as it comes in.

A trial is a run of theirs, with its configuration, its learning curve by epoch and its metrics. The run as a whole has
the incumbent's loss against cost; where the run has a metric of another name, that, in its own sign.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfbo.exports import needed
from mfbo.goal import Goal
from mfbo.ledger.observer import Observer

if TYPE_CHECKING:
    from mfbo.ledger.run import Result, Run


class Careful(Observer):
    """Passes everything on until that fails; then says so once, and no longer: a run is worth more than its log.

    Args:
        observer: the logger.
        name: of its tool.
    """

    def __init__(self, observer: Observer, name: str) -> None:
        self._observer, self._name = observer, name
        self._works = True

    def on_start(self, run: Run) -> None:
        """As the logger."""
        self._try("on_start", run)

    def on_result(self, result: Result, best: Result | None) -> None:
        """As the logger."""
        self._try("on_result", result, best)

    def on_end(self, status: str) -> None:
        """As the logger."""
        self._try("on_end", status)

    def _try(self, what: str, *given: Any) -> None:
        if not self._works:
            return
        try:
            getattr(self._observer, what)(*given)
        except Exception as error:  # a full disk, a server that is gone: whatever the tool raises
            self._works = False
            print(f"mfbo: {self._name} is not logged to any more: {error!r}", file=sys.stderr)  # noqa: T201


class Tensorboard(Observer):
    """Event files below a folder, written by tensorboardX.

    Args:
        folder: for ``tensorboard --logdir``.

    Raises:
        MissingExtra: tensorboardX is not installed.
    """

    def __init__(self, folder: Path | str) -> None:
        self._writer = needed("tensorboardX", "exports").SummaryWriter
        self._folder = Path(folder)
        self._whole: Any = None
        self._goal = Goal()

    def on_start(self, run: Run) -> None:
        """Open the file of the run as a whole."""
        self._goal = run.header.goal
        self._whole = self._writer(str(self._folder))

    def on_result(self, result: Result, best: Result | None) -> None:
        """The trial's own file, and a point of the anytime curve, whose step is a thousandth of the cost's unit."""
        trial, outcome, name = result.trial, result.outcome, self._goal.name
        with self._writer(str(self._folder / f"trial-{trial.id:05d}")) as writer:
            for report in outcome.reports:
                writer.add_scalar(name, self._goal.value(report.loss), int(report.epoch))
            loss = None if outcome.loss is None else self._goal.value(outcome.loss)
            measured = {f"final/{key}": value for key, value in {**outcome.metrics, name: loss}.items()}
            known = {key: value for key, value in measured.items() if value is not None}
            writer.add_hparams(dict(trial.config), {**known, "final/cost": outcome.cost}, name="hparams")
        if best is not None and best.outcome.loss is not None:
            value = self._goal.value(best.outcome.loss)
            self._whole.add_scalar(f"incumbent/{name}", value, round(1000 * result.spent))

    def on_end(self, status: str) -> None:
        """Close it."""
        if self._whole is not None:
            self._whole.close()


class Mlflow(Observer):
    """An MLflow experiment in an SQLite file, for ``mlflow ui --backend-store-uri sqlite:///FILE``, or on a server.

    Args:
        place: the file, or a tracking URI.

    Raises:
        MissingExtra: MLflow is not installed.
    """

    def __init__(self, place: Path | str) -> None:
        client = needed("mlflow", "exports").MlflowClient
        self._client = client(tracking_uri=place if "://" in str(place) else f"sqlite:///{Path(place).resolve()}")
        self._experiment = self._parent = ""
        self._goal = Goal()

    def on_start(self, run: Run) -> None:
        """An experiment for the task, and a run for the whole."""
        header, self._goal = run.header, run.header.goal
        known = self._client.get_experiment_by_name(header.task)
        self._experiment = known.experiment_id if known else self._client.create_experiment(header.task)
        name = f"{header.optimizer} seed {header.seed}"
        self._parent = self._client.create_run(self._experiment, run_name=name).info.run_id
        for key, value in (
            ("optimizer", header.optimizer),
            ("seed", header.seed),
            ("max_cost", str(run.limits.max_cost)),
        ):
            self._client.log_param(self._parent, key, value)

    def on_result(self, result: Result, best: Result | None) -> None:
        """A run below it for the trial."""
        trial, outcome = result.trial, result.outcome
        tags = {"mlflow.parentRunId": self._parent, "fidelity": str(outcome.rung), "status": outcome.status}
        name, metric = f"trial {trial.id}", re.sub(r"[^\w\-./: ]", "_", self._goal.name)  # as MLflow has names
        own = self._client.create_run(self._experiment, run_name=name, tags=tags).info.run_id
        for key, value in trial.config.items():
            self._client.log_param(own, key, value)
        for report in outcome.reports:
            self._client.log_metric(own, metric, self._goal.value(report.loss), step=int(report.epoch))
        loss = None if outcome.loss is None else self._goal.value(outcome.loss)
        final = {**self._goal.others(outcome.metrics), f"final_{metric}": loss, "cost": outcome.cost}
        for key, number in final.items():
            if number is not None:
                self._client.log_metric(own, key, number)
        self._client.set_terminated(own, "FAILED" if outcome.failed else "FINISHED")
        if best is not None and best.outcome.loss is not None:
            value = self._goal.value(best.outcome.loss)
            self._client.log_metric(self._parent, f"incumbent_{metric}", value, step=round(1000 * result.spent))

    def on_end(self, status: str) -> None:
        """The whole is over."""
        if self._parent:
            self._client.set_terminated(self._parent, "KILLED" if status in ("interrupted", "killed") else "FINISHED")
