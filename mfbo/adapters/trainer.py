"""For trials that train with the Trainer of Hugging Face's transformers.

::

    def train(config, fidelity, context):
        args = arguments(fidelity, context, learning_rate=config["learning_rate"])
        return fit(Trainer(model=..., args=args, train_dataset=..., eval_dataset=...), context)
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from importlib.util import find_spec
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfbo.errors import BadTask, MissingExtra
from mfbo.files.plain import copy_plain
from mfbo.files.reading import read_json
from mfbo.goal import UNNAMED, agree
from mfbo.trial import Measurement

for _name in ("torch", "transformers", "accelerate"):  # what a Trainer needs
    if find_spec(_name) is None:
        raise MissingExtra.of(_name, "trainer")
import torch  # noqa: E402
from transformers import PrinterCallback, TrainerCallback, TrainingArguments  # noqa: E402
from transformers.utils import logging  # noqa: E402

if TYPE_CHECKING:
    from mfbo.context import Context
    from mfbo.trial import Rung

LOSS = "eval_loss"
_SCRATCH = "mfbo-trainer-"


class ReportCallback(TrainerCallback):
    """Reports each evaluation, ends the training when the trial's time is up, and leaves a checkpoint at its end.

    Args:
        context: of the trial.
        metric: of the evaluation, the loss or what the run maximises.
    """

    def __init__(self, context: Context, metric: str = LOSS) -> None:
        self.context, self.metric = context, metric
        self.measured: dict[str, float] = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Say that the first step begins."""
        self.context.poll(float(state.epoch or 0.0))

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Say how far it is; this ends a trial whose time is up within an epoch."""
        self.context.poll(float(state.epoch))

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **more: Any) -> None:
        """Report it."""
        self.measured = {name: float(value) for name, value in (metrics or {}).items() if isinstance(value, Real)}
        if self.metric not in self.measured:
            raise BadTask(f"the evaluation has no {self.metric!r}; it has {', '.join(self.measured) or 'nothing'}")
        self.context.report(self.measured[self.metric], epoch=round(state.epoch))

    def on_epoch_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Have the last epoch saved, after its evaluation."""
        if self.context.keeps_checkpoints and round(state.epoch) >= args.num_train_epochs:
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Keep it for a higher rung."""
        if not self.context.keeps_checkpoints or round(state.epoch) < args.num_train_epochs:
            return
        with self.context.save(round(state.epoch)) as folder:
            copy_plain(Path(args.output_dir) / f"checkpoint-{state.global_step}", folder)
            (folder / "training_args.bin").unlink(missing_ok=True)  # a pickle, and read by nobody


def arguments(rung: Rung, context: Context, **more: Any) -> Any:
    """TrainingArguments for a trial: its epochs, seed and device, an evaluation each epoch, no output.

    Args:
        rung: of the trial.
        context: of the trial.
        more: arguments of your own, such as ``learning_rate``; they come first.
    """
    given = {
        "output_dir": str(Path(tempfile.gettempdir()) / f"{_SCRATCH}{os.getpid()}"),
        "num_train_epochs": rung.epochs,
        "seed": context.seed,
        "eval_strategy": "epoch",
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": context.device == "cpu",
        "dataloader_pin_memory": torch.cuda.is_available(),  # else it warns, each trial
    }
    return TrainingArguments(**{**given, **more})


def fit(trainer: Any, context: Context, metric: str | None = None) -> Measurement:
    """Train, from the checkpoint of an earlier rung if there is one, and measure.

    The Trainer counts in steps: where the earlier rung had another part of the data, it begins anew.

    Args:
        trainer: with an evaluation set.
        context: of the trial.
        metric: of the evaluation, in its own sign; what else that measures is kept beside it. None for what the run
            or the task names, else what the arguments say (``metric_for_best_model``), else ``eval_loss``.

    Raises:
        BadTask: the evaluation has no such metric.
        BadDirection: the arguments (``greater_is_better``) and the run do not agree which way is better.
        TrialStopped: the trial's time is up.
    """
    metric = _metric(trainer.args, context, metric)
    callback = ReportCallback(context, metric)
    trainer.add_callback(callback)
    trainer.remove_callback(PrinterCallback)  # what it would print goes into the run's display
    if trainer.args.disable_tqdm:
        logging.disable_progress_bar()  # of saving, which knows nothing of that argument
    measure = trainer.evaluate

    def evaluate(*given: Any, **named: Any) -> Any:
        with context.evaluating():
            return measure(*given, **named)

    trainer.evaluate = evaluate
    try:
        trainer.train(resume_from_checkpoint=_checkpoint(trainer, context))
        if not callback.measured:
            trainer.evaluate()
    finally:
        output = Path(trainer.args.output_dir)
        if output.name.startswith(_SCRATCH):
            shutil.rmtree(output, ignore_errors=True)
    others = {name: value for name, value in callback.measured.items() if name != metric and _is_quality(name)}
    return Measurement(callback.measured[metric], {name.removeprefix("eval_"): value for name, value in others.items()})


def _metric(args: Any, context: Context, metric: str | None) -> str:
    """The metric to report, by the name that the evaluation gives it.

    Raises:
        BadDirection: it is to be high here and low there.
    """
    goal, best = context.goal, getattr(args, "metric_for_best_model", None)
    name = metric or (best or LOSS if goal.name in UNNAMED else goal.name)  # a run that names its metric shows that
    name = name if name.startswith("eval_") else f"eval_{name}"
    greater = getattr(args, "greater_is_better", None) if best and name.endswith(best) else None
    agree(goal, name, greater)
    return name


def _is_quality(name: str) -> bool:
    return name.startswith("eval_") and not name.endswith(("_runtime", "_per_second"))


def _checkpoint(trainer: Any, context: Context) -> str | None:
    """The folder to go on from, if its steps are epochs as they are counted now."""
    if context.checkpoint is None:
        return None
    state = read_json(context.checkpoint / "trainer_state.json", "checkpoint", dict[str, Any])
    then = state.get("global_step")
    batches = len(trainer.get_train_dataloader())
    steps = max(1, math.ceil(batches / trainer.args.gradient_accumulation_steps))
    if then != steps * context.start_epoch:
        context.start_epoch = 0
        return None
    return str(context.checkpoint)
