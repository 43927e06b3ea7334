"""For trials that train with Lightning.

::

    def train(config, fidelity, context):
        return fit(trainer(fidelity, context), MyModule(**config), context, train_dataloaders=..., val_dataloaders=...)
"""

from __future__ import annotations

import logging
import warnings
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from mfbo.errors import BadTask, MissingExtra
from mfbo.goal import DIRECTIONS, UNNAMED, agree
from mfbo.trial import Measurement

try:
    import lightning
except ModuleNotFoundError as error:
    raise MissingExtra.of(error.name or "lightning", "lightning") from error

if TYPE_CHECKING:
    from mfbo.context import Context
    from mfbo.trial import Rung

MONITOR = "val_loss"
CHECKPOINT_FILE = "lightning.ckpt"


class ReportCallback(lightning.Callback):
    """Reports each validation, and ends the training when the trial's time is up.

    Args:
        context: of the trial.
        monitor: what the module logs as its loss, or as what the run maximises.
    """

    def __init__(self, context: Context, monitor: str = MONITOR) -> None:
        self.context, self.monitor = context, monitor
        self._evaluating = ExitStack()

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Say that the first step begins."""
        self.context.poll(float(trainer.current_epoch))

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Say how far it is; this ends a trial whose time is up within an epoch."""
        self.context.poll(trainer.current_epoch + (batch_idx + 1) / trainer.num_training_batches)

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """From here on, time counts as evaluation."""
        self._evaluating.enter_context(self.context.evaluating())

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Report it."""
        self._evaluating.close()
        if trainer.sanity_checking:
            return
        if self.monitor not in trainer.callback_metrics:
            logged = ", ".join(trainer.callback_metrics) or "nothing"
            raise BadTask(f"the module logs no {self.monitor!r} in its validation step; it logs {logged}")
        self.context.report(float(trainer.callback_metrics[self.monitor]), epoch=trainer.current_epoch + 1)


def trainer(rung: Rung, context: Context, **more: Any) -> Any:
    """A Lightning trainer for a trial: its epochs, seed and device, no output.

    Args:
        rung: of the trial.
        context: of the trial.
        more: arguments of your own; they come first.
    """
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)  # what it says of the hardware, for each trial
    warnings.filterwarnings("ignore", module=r"lightning\.")  # its advice on loaders, the same
    lightning.seed_everything(context.seed, verbose=False)
    given = {
        "max_epochs": rung.epochs,
        "accelerator": {"cuda": "gpu"}.get(context.device, context.device),
        "devices": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
    }
    return lightning.Trainer(**{**given, **more})


def fit(
    trainer: Any, module: Any, context: Context, monitor: str | None = None, *, mode: str | None = None, **data: Any
) -> Measurement:
    """Train, from the checkpoint of an earlier rung if there is one, and measure.

    Args:
        trainer: see `trainer`.
        module: which logs `monitor` in its validation step.
        context: of the trial.
        monitor: what the module logs, in its own sign; what else it logs is kept beside it. None for what the task is
            called to measure, else ``val_loss``.
        mode: ``max`` or ``min``, as Lightning's callbacks have it; None for that of the run, or of a callback of the
            trainer that monitors the same.
        data: as ``Trainer.fit`` takes it: ``train_dataloaders`` and ``val_dataloaders``, or a ``datamodule``.

    Raises:
        BadTask: the module does not log that.
        BadDirection: mode and run do not agree which way is better.
        TrialStopped: the trial's time is up.
    """
    if monitor is None:
        monitor = MONITOR if context.goal.name in UNNAMED else context.goal.name
    modes = [mode] + [callback.mode for callback in trainer.callbacks if getattr(callback, "monitor", None) == monitor]
    said = next((DIRECTIONS[one] for one in modes if one in DIRECTIONS), None)
    agree(context.goal, monitor, said)
    trainer.callbacks.append(ReportCallback(context, monitor))
    found = str(context.checkpoint / CHECKPOINT_FILE) if context.checkpoint else None
    trainer.fit(module, ckpt_path=found, weights_only=True, **data)
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    if monitor not in metrics:
        raise BadTask(f"the module logs no {monitor!r} in its validation step; it logs {', '.join(metrics)}")
    if context.keeps_checkpoints:
        with context.save(trainer.current_epoch) as folder:
            trainer.save_checkpoint(folder / CHECKPOINT_FILE)
    return Measurement(metrics.pop(monitor), metrics)
