"""Training, as the real tasks share it: from a model, its optimizer and batches to a measurement.

The step size follows warm-up, stable, decay (WSD; Hägele et al. 2024, arXiv:2405.18392): it rises linearly, stays, and
falls to zero as 1 - sqrt over the last fifth of a rung's steps. Only the decay depends on the rung. The checkpoint is
the state before the decay, the measurement is that of the model after it. So a promoted configuration goes on as if it
had never been measured: on a CPU it ends with the same weights, bit for bit, as one that was not stopped. A rung of E
epochs takes E epochs in all, its decay included; going on to E' epochs takes E' - 0.8 E, because what the decay saw is
learned again at the full step size. The seconds that this takes are charged. Where the higher rung also has more
data, training goes on at the same epoch of the larger subset, which counts what was seen of the smaller one.

Nothing has a generator to save: the order and augmentation of an epoch follow from (seed, epoch), dropout from
(seed, step).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mfbo.checkpoint import MODEL
from mfbo.context import Context
from mfbo.errors import TrialStopped
from mfbo.tasks.training.batches import Batch, Batches
from mfbo.tasks.training.device import autocast, keeping_memory, reseed
from mfbo.tasks.training.setup import DECAY, write_measurement
from mfbo.tasks.training.state import Progress, Snapshot, restore, writing
from mfbo.trial import Measurement, Rung

WARMUP = 0.02  # of a full evaluation's steps, where the space has no warmup_fraction
JUDGE, JUDGE_CPU = 256, 64  # samples a step when measuring; a processor's cache holds no more
FIRST_INTERIM = 5.0  # seconds of training before the first measurement within an epoch, and between two
INTERIM_SHARE = 0.1  # of a trial's time, for them
_POLL = 0.5  # seconds between looks at the clock and at the loss
_ORDER, _DROPOUT = 2, 4  # streams of the run's seed, beside those of the splits


@dataclass(frozen=True)
class Job:
    """What a task hands over.

    Attributes:
        model: on `device`.
        optimizer: of its parameters.
        learn: what it learns from.
        judge: what it is measured on, after each epoch; less often where it is larger than `learn`, unless there is
            `patience`.
        classes: how many there are.
        device: where it runs.
        keep: writes the model into a folder that is there, for use without mfbo.
        peak: step size between warm-up and decay.
        batch_size: samples a step; all of `learn` where these are fewer.
        full_epochs: of a full evaluation; the warm-up is measured by it, since it must not depend on the rung.
        warmup: part of a full evaluation's steps.
        clip: norm that gradients are cut to; None for no clipping.
        smoothing: probability mass of each label that is spread over all classes.
        patience: epochs without a better loss after which the decay begins early; None for never.
        final: whether this is the final validation: nothing is measured before the end, and nothing continues from it.
        glance: a fixed part of `judge`, measured at intervals of time within an epoch (see `training.interim`); None
            to measure on all of `judge` then.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    learn: Batches
    judge: Batches
    classes: int
    device: torch.device
    keep: Callable[[Path], None]
    peak: float
    batch_size: int
    full_epochs: int
    warmup: float = WARMUP
    clip: float | None = 1.0
    smoothing: float = 0.0
    patience: int | None = None
    final: bool = False
    glance: Batches | None = None


@dataclass(frozen=True)
class Schedule:
    """Warm-up, stable, decay.

    Attributes:
        warmup: steps of the warm-up.
        stable: step at which the decay begins.
        total: steps in all.
    """

    warmup: float
    stable: int
    total: int

    @classmethod
    def of(cls, total: int, warmup: float) -> Schedule:
        """The last fifth is decay; at least one step, but never all of them."""
        return cls(warmup, total - min(max(1, round(DECAY * total)), total - 1), total)

    def cut(self, step: int) -> Schedule:
        """The decay begins at `step` and is as long as if the rung had been that short."""
        decay = max(1, round(step * DECAY / (1 - DECAY)))
        return Schedule(self.warmup, step, min(self.total, step + decay))

    def factor(self, step: int) -> float:
        """Of the peak step size, at a step counted from 0."""
        rising = min(1.0, (step + 1) / self.warmup) if self.warmup > 0 else 1.0
        if step < self.stable:
            return rising
        return rising * (1 - math.sqrt((step - self.stable + 1) / (self.total - self.stable + 1)))


@dataclass(frozen=True)
class Scores:
    """How a model does on some samples.

    Attributes:
        confusion: (classes, classes), samples by true class (rows) and predicted class (columns).
        cross_entropy: mean, in nats; NaN or infinite where the model overflowed.
    """

    confusion: NDArray[np.int64]
    cross_entropy: float

    @property
    def accuracy(self) -> float:
        """Share that is right, in [0, 1]."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    @property
    def macro_f1(self) -> float:
        """Mean over the classes of F1; 0 for a class that is neither there nor predicted."""
        right = np.diag(self.confusion)
        return float(np.mean(2 * right / np.maximum(1, self.confusion.sum(0) + self.confusion.sum(1))))

    @property
    def loss(self) -> float:
        """1 - accuracy; NaN where the model overflowed."""
        return 1 - self.accuracy if math.isfinite(self.cross_entropy) else math.nan


def fit(job: Job, rung: Rung, context: Context) -> Measurement:
    """Train to the end of `rung`, from the context's checkpoint where it has one; leave a checkpoint.

    Returns:
        Validation error in [0, 1], with the metrics accuracy, macro_f1, cross_entropy (nats), samples (seen in this
        trial, so without those before its checkpoint) and size (parameters of the model).

    Raises:
        BadData: the checkpoint is damaged.
        RunError: the checkpoint cannot be written; the one before it is still there.
        TrialStopped: from the context: the time is up, or the loss is no longer finite.
        torch.OutOfMemoryError: on a GPU, although half the batch was tried.
    """
    with keeping_memory(job.device):
        return _fit(job, rung, context)


def _fit(job: Job, rung: Rung, context: Context) -> Measurement:
    size = min(job.batch_size, len(job.learn))
    per_epoch = math.ceil(len(job.learn) / size)
    plan = Schedule.of(rung.epochs * per_epoch, job.warmup * job.full_epochs * per_epoch)
    done = Progress(per_epoch=per_epoch)
    if context.checkpoint and not job.final:
        done = restore(context.checkpoint, job.model, job.optimizer).at(per_epoch)
    stepper, watch, interim = Stepper(job, context.seed), _Watch(context), Interim(job, context)
    stable, scores, seen, epoch, first = None, None, 0, None, done.step
    context.poll(done.step / per_epoch)
    while done.step < plan.total:
        if stable is None and done.step >= plan.stable:
            stable = _snapshot(job, context, done)
        number, place = divmod(done.step, per_epoch)
        if epoch is None or place == 0:
            epoch = job.learn.epoch(size, np.random.default_rng([context.seed, _ORDER, number]))
        batch = epoch[place]
        loss = stepper.step(batch, done.step, plan.factor(done.step))
        done.step += 1
        at = number + epoch.done(place)
        try:
            watch.look(loss, epochs=at)
        except TrialStopped:
            interim.at_the_end(done, at)
            raise
        seen += len(batch)
        last = done.step == plan.total
        if not last and interim.due((done.step - first) / (plan.total - first)):
            interim.take(done, at)
        if last or (done.step % per_epoch == 0 and _pays(job, done.step // per_epoch)):
            scores = measure(job, context)
            context.report(scores.loss, epoch=rung.epochs if last else done.step // per_epoch)
            if stable is None and not last:
                _note(done, scores.loss)
                plan = plan.cut(done.step) if job.patience and done.stale >= job.patience else plan
    assert scores is not None
    found = _measurement(scores, seen, sum(parameter.numel() for parameter in job.model.parameters()))
    if context.keeps_checkpoints:
        _save(job, context, (rung.epochs, found, scores), stable or _snapshot(job, context, done))
    return found


def _save(job: Job, context: Context, came: tuple[int, Measurement, Scores], stable: Snapshot | None) -> None:
    """A checkpoint: the state that training continues from, the model, and what it `came` to after so many epochs."""
    epochs, found, scores = came
    with writing(), context.save(epochs) as folder:
        if stable:
            stable.save(folder)
        (folder / MODEL).mkdir()
        job.keep(folder / MODEL)
        write_measurement(folder, found.loss, found.metrics, scores.confusion)


class Interim:
    """Measures within an epoch at intervals of time, and keeps the model of then: a trial that is stopped has a result.

    It is measured on a fixed part of the validation split, and takes a tenth of the training's time at most.

    Args:
        job: its model is read.
        context: of the trial.
    """

    def __init__(self, job: Job, context: Context) -> None:
        self._job, self._context = job, context
        self._began = time.monotonic()
        self._next = self._began + FIRST_INTERIM

    def due(self, done: float) -> bool:
        """Whether it is time, and the trial not about to end: then its result comes soon enough.

        Args:
            done: part of the trial's steps.
        """
        now = time.monotonic()
        if self._job.final or now < self._next:
            return False
        return (now - self._began) * (1 - done) / done > FIRST_INTERIM

    def take(self, done: Progress, epochs: float, *, watched: bool = True) -> None:
        """Measure, keep, and report the result after `epochs`.

        Raises:
            TrialStopped: from the context; the model and the report are there then.
        """
        began = time.monotonic()
        job, context = self._job, self._context
        scores = measure(job, context, job.glance, watched=watched)
        found = _measurement(scores, 0, sum(parameter.numel() for parameter in job.model.parameters()))
        new = int(epochs) > context.start_epoch or not context.start_epoch  # else it would replace what was measured
        if context.keeps_checkpoints and new and math.isfinite(scores.loss):
            _save(job, context, (int(epochs), found, scores), _snapshot(job, context, done))
        context.report(scores.loss, epoch=epochs)
        self._next = time.monotonic() + max(FIRST_INTERIM, (time.monotonic() - began) / INTERIM_SHARE)

    def at_the_end(self, done: Progress, epochs: float) -> None:
        """The time is up before the first report: measure now, as far as the grace that is left allows."""
        ended = self._context.stop_reason in ("time", "interrupted")
        if ended and not self._context.reports and not self._job.final and epochs > 0:
            self.take(done, epochs, watched=False)


def measure(job: Job, context: Context, judge: Batches | None = None, *, watched: bool = True) -> Scores:
    """How the model does on what it is judged by; the time counts as evaluation. Leaves the model in training mode.

    Args:
        job: its model.
        context: of the trial.
        judge: the samples; None for all of the job's.
        watched: whether the trial ends here when its time is up.
    """
    judge = judge or job.judge
    losses = torch.zeros((), dtype=torch.float64 if job.device.type != "mps" else torch.float32, device=job.device)
    confusion = torch.zeros(job.classes**2, dtype=torch.int64, device=job.device)
    watch, seen = _Watch(context), 0
    job.model.eval()
    with context.evaluating(), torch.inference_mode():
        for batch in judge.ordered(JUDGE_CPU if job.device.type == "cpu" else JUDGE):
            with autocast(job.device):
                logits = job.model(*batch.inputs)
            losses += nn.functional.cross_entropy(logits.float(), batch.labels, reduction="sum")
            seen += len(batch)
            places = batch.labels * job.classes + logits.argmax(dim=1)
            confusion += torch.bincount(places, minlength=job.classes**2)
            if watched:
                watch.look(evaluated=min(0.999, seen / len(judge)))
        job.model.train()
        return Scores(confusion.view(job.classes, job.classes).cpu().numpy(), float(losses) / len(judge))


class Stepper:
    """Takes steps; after the first CUDA out-of-memory error with half a batch at a time, and the same gradient.

    (Norms over a batch, as ResNet has them, then see half of it.)

    Args:
        job: its model and optimizer are changed.
        seed: of the run.
    """

    def __init__(self, job: Job, seed: int) -> None:
        self._job, self._seed = job, seed
        self._trained = [parameter for parameter in job.model.parameters() if parameter.requires_grad]
        self._part = job.batch_size
        self._retried = False
        job.model.train()

    def step(self, batch: Batch, number: int, factor: float) -> torch.Tensor:
        """Learn from `batch` at `factor` of the peak step size; its mean loss, on the device."""
        reseed(self._job.device, self._seed, _DROPOUT, number)
        for group in self._job.optimizer.param_groups:
            group["lr"] = self._job.peak * factor
        try:
            loss = self._gradient(batch)
        except torch.OutOfMemoryError:
            if self._retried or len(batch) < 2:
                raise
            loss = None
        if loss is None:  # out of the except block, which keeps the failed attempt's tensors alive
            self._retried, self._part = True, math.ceil(len(batch) / 2)
            if self._job.device.type == "cuda":
                torch.cuda.empty_cache()
            loss = self._gradient(batch)
        if self._job.clip is not None:
            nn.utils.clip_grad_norm_(self._trained, self._job.clip)
        self._job.optimizer.step()
        return loss

    def _gradient(self, batch: Batch) -> torch.Tensor:
        self._job.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self._job.device)
        for part in batch.split(self._part):
            with autocast(self._job.device):
                logits = self._job.model(*part.inputs)
            smoothing = self._job.smoothing
            loss = nn.functional.cross_entropy(logits.float(), part.labels, label_smoothing=smoothing)
            loss = loss * (len(part) / len(batch))
            loss.backward()
            total += loss.detach()
        return total


class _Watch:
    """Looks at the clock, and at the loss, now and then: on a GPU each look at a loss waits for it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._next = 0.0

    def look(
        self, loss: torch.Tensor | None = None, *, epochs: float | None = None, evaluated: float | None = None
    ) -> None:
        """End the trial if its time is up, or if the loss is no longer finite; the progress is as `Context.poll`'s."""
        if time.monotonic() < self._next:
            return
        if loss is not None and not math.isfinite(float(loss)):
            self._context.report(math.nan)
        self._context.poll(epochs, evaluated=evaluated)
        self._next = time.monotonic() + _POLL


def _pays(job: Job, epoch: int) -> bool:
    """Whether to measure after an epoch that is not the last: on small subsets it would take longer than to train."""
    learnt, judged = len(job.learn), len(job.judge)
    return not job.final and (job.patience is not None or epoch * learnt // judged > (epoch - 1) * learnt // judged)


def _note(done: Progress, loss: float) -> None:
    """Count the epochs without a better loss."""
    done.stale = 0 if loss < done.best else done.stale + 1
    done.best = min(done.best, loss)


def _snapshot(job: Job, context: Context, done: Progress) -> Snapshot | None:
    return Snapshot.take(job.model, job.optimizer, done) if context.keeps_checkpoints and not job.final else None


def _measurement(scores: Scores, seen: int, size: int) -> Measurement:
    metrics = {"accuracy": scores.accuracy, "macro_f1": scores.macro_f1, "cross_entropy": scores.cross_entropy}
    return Measurement(scores.loss, {**metrics, "samples": float(seen), "size": float(size)})
