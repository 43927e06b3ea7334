"""The training module that the real tasks share, with a model that takes no time."""

from __future__ import annotations

import resource
import signal
import sys
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from ConfigSpace import ConfigurationSpace
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import nn

from mfbo.checkpoint import Checkpoints
from mfbo.context import Context
from mfbo.errors import BadData, BadValue, RunError
from mfbo.executors.evaluate import TrialSetup, evaluate
from mfbo.fidelity import Fidelity
from mfbo.task import Task
from mfbo.tasks.training import device, loop
from mfbo.tasks.training.batches import Batch, ImageBatches
from mfbo.tasks.training.device import autocast, device_of, has_bf16, keeping_memory, optimizer_of, reseed, resident
from mfbo.tasks.training.state import write_tensors
from mfbo.trial import Rung, Trial, config_key

CPU, META = torch.device("cpu"), torch.device("meta")
SPACE = ConfigurationSpace({"x": (0.0, 1.0)})
FULL = 9  # epochs


def images(n, seed=0):
    """Four by four pixels, three classes that differ in brightness."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    return (80 * labels[:, None, None, None] + rng.integers(0, 90, (n, 4, 4, 3))).astype(np.uint8), labels


def job(n=40, *, judged=12, crop=0, **changes):
    """A linear classifier with dropout over such images."""
    reseed(CPU, 0)
    model = changes.get("model") or nn.Sequential(nn.Flatten(), nn.Dropout(0.1), nn.Linear(48, 3))
    norm = {"mean": (128, 128, 128), "std": (64, 64, 64)}
    given = {
        "model": model,
        "optimizer": optimizer_of("adamw", model, weight_decay=0.01),
        "learn": ImageBatches(*images(n), CPU, **norm, flip=True, crop=crop),
        "judge": ImageBatches(*images(judged, 1), CPU, **norm),
        "classes": 3,
        "device": CPU,
        "keep": lambda folder: write_tensors(folder / "model.safetensors", model.state_dict()),
        "peak": 0.01,
        "batch_size": 8,
        "full_epochs": FULL,
    }
    return loop.Job(**{**given, **changes})


def trained(epochs, root=None, *, seed=0, stop=None, made=None, **changes):
    """What becomes of a trial of `job`."""
    task = Task(
        "linear",
        SPACE,
        lambda config, rung, context: loop.fit(made or job(**changes), rung, context),
        Fidelity(epochs=(1, FULL)),
    )
    checkpoints = Checkpoints(root) if root else None
    return evaluate(task, Trial(0, {"x": 0.5}, Rung(epochs)), TrialSetup(seed, "cpu", {}, checkpoints), stop)


def weights(root):
    """All that the newest checkpoint below `root` holds of tensors."""
    newest = max((root / config_key({"x": 0.5})).glob("epoch-*"))
    return {**load_file(newest / "state.safetensors"), **load_file(newest / "model" / "model.safetensors")}


def scores_of(made):
    """How its model does on what it is judged by."""
    return loop.measure(made, Context())


# --- the schedule, and what a promotion continues from


@given(st.integers(1, 500), st.floats(0, 200))
def test_a_schedule_rises_stays_and_falls_and_only_its_end_depends_on_the_rung(total, warmup):
    plan, longer = (loop.Schedule.of(steps, warmup) for steps in (total, 3 * total))
    factors = [plan.factor(step) for step in range(total)]
    assert all(0 < factor <= 1 for factor in factors)
    assert [longer.factor(step) for step in range(plan.stable)] == factors[: plan.stable]
    assert plan.stable >= 1
    assert total - plan.stable == (min(max(1, round(0.2 * total)), total - 1))
    if warmup <= plan.stable < total:
        assert (np.diff(factors[: plan.stable]) >= 0).all()
        assert (np.diff(factors[plan.stable :]) < 0).all()
        assert factors[-1] < 0.5


@pytest.mark.slow
@given(
    rungs=st.lists(st.integers(1, FULL), min_size=2, max_size=4, unique=True).map(sorted),
    n=st.integers(3, 24),
    seed=st.integers(0, 3),
    optimizer=st.sampled_from(["adamw", "sgd"]),
)
@settings(max_examples=10)
def test_going_up_any_ladder_gives_the_weights_of_going_straight_to_its_top(
    tmp_path_factory, rungs, n, seed, optimizer
):
    root = tmp_path_factory.mktemp("ladder")

    def climb(name, ladder):
        for epochs in ladder:
            made = job(n, crop=1)
            made = replace(made, optimizer=optimizer_of(optimizer, made.model, weight_decay=0.01))
            outcome = trained(epochs, root / name, seed=seed, made=made)
            assert outcome.status == "ok", outcome.error
        return outcome, weights(root / name)

    (promoted, one), (straight, other) = climb("promoted", rungs), climb("straight", rungs[-1:])
    assert promoted.loss == straight.loss
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_promoted_trial_learns_the_difference_and_the_lower_rungs_decay_only(tmp_path):
    first, second = trained(2, tmp_path), trained(FULL, tmp_path)
    assert first.metrics["samples"] == 2 * 40
    assert second.start_epoch == 2
    assert second.metrics["samples"] == (FULL - 0.8 * 2) * 40


def test_without_checkpoints_nothing_is_copied_or_written(monkeypatch):
    monkeypatch.setattr(loop.Snapshot, "take", None)
    assert trained(3).status == "ok"


@pytest.mark.parametrize("damage", ["cut", "other network", "no progress"])
def test_a_damaged_checkpoint_is_a_failed_trial_with_one_line(tmp_path, damage):
    trained(1, tmp_path)
    (state,) = tmp_path.rglob("state.safetensors")
    if damage == "cut":
        state.write_bytes(state.read_bytes()[:-9])
    elif damage == "no progress":
        state.with_suffix(".json").unlink()
    else:
        tensors = load_file(state)
        tensors["model.2.weight"] = tensors["model.2.weight"][:, 1:].contiguous()
        write_tensors(state, tensors)
    outcome = trained(3, tmp_path)
    assert outcome.status == "failed"
    assert outcome.error.startswith(BadData.__name__)
    assert "delete its folder to start over" in outcome.error
    assert "\n" not in outcome.error


@contextmanager
def full_disk(size):
    """No file can grow beyond `size` bytes: what a full disk does to whoever writes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # of what is imported: it would be cut off
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        sys.dont_write_bytecode = bytecode
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("room", [100, 1000])
def test_a_disk_that_fills_up_while_a_checkpoint_is_written_leaves_the_previous_one(tmp_path, room):
    trained(1, tmp_path)
    before = weights(tmp_path)
    with full_disk(room):
        outcome = trained(3, tmp_path)
    assert outcome.status == "failed"
    assert outcome.loss is None
    assert outcome.error.startswith(f"{RunError.__name__}: the checkpoint cannot be written: ")
    assert "\n" not in outcome.error
    assert [path.name for path in tmp_path.glob("*/*")] == ["epoch-00001"]
    assert all(torch.equal(before[name], tensor) for name, tensor in weights(tmp_path).items())
    again = trained(3, tmp_path)
    assert (again.status, again.start_epoch) == ("ok", 1)


# --- when it ends, and when it is measured


def test_a_diverged_loss_ends_the_trial_at_the_next_look(monkeypatch):
    monkeypatch.setattr(loop, "_POLL", 0.0)
    steps = []
    real = loop.Stepper.step

    def counted(self, batch, number, factor):
        steps.append(number)
        loss = real(self, batch, number, factor)
        return loss * float("nan") if number == 7 else loss

    monkeypatch.setattr(loop.Stepper, "step", counted)
    outcome = trained(FULL)
    assert outcome.status == "diverged"
    assert outcome.loss is None
    assert steps[-1] == 7
    assert [report.epoch for report in outcome.reports] == [1]


def test_weights_that_overflow_are_no_result_even_if_no_loss_was_looked_at(monkeypatch, tmp_path):
    monkeypatch.setattr(loop, "_POLL", 1e9)
    outcome = trained(2, tmp_path, peak=1e38)
    assert outcome.status == "diverged"
    assert outcome.loss is None
    assert not list(tmp_path.glob("*/epoch-*"))


def test_the_loss_is_looked_at_now_and_then_since_a_gpu_waits_for_it(monkeypatch):
    looked = []

    class Loss:
        def __float__(self):
            looked.append(now)
            return 0.5

    now = 0.0
    monkeypatch.setattr(loop.time, "monotonic", lambda: now)
    from mfbo.context import Context

    watch = loop._Watch(Context())
    for step in range(1000):
        now = step * 0.01
        watch.look(Loss())
    assert len(looked) == 20
    assert np.diff(looked) == pytest.approx(0.5)


def test_a_trial_whose_time_is_up_ends_within_an_epoch(monkeypatch):
    monkeypatch.setattr(loop, "_POLL", 0.0)
    polls = []

    def stop(elapsed):
        polls.append(elapsed)
        return "time" if len(polls) > 7 else None

    outcome = trained(FULL, stop=stop)
    assert outcome.status == "stopped"
    assert [report.epoch for report in outcome.reports] == [1]
    assert outcome.rung.epochs == 1


def test_a_trial_that_is_stopped_in_its_first_epoch_has_a_result_and_the_model_that_gave_it(monkeypatch, tmp_path):
    monkeypatch.setattr(loop, "_POLL", 0.0)
    polls = []

    def stop(elapsed):
        polls.append(elapsed)
        return "time" if len(polls) > 3 else None

    outcome = trained(FULL, tmp_path, stop=stop)
    (report,) = outcome.reports
    assert outcome.status == "stopped"
    assert 0 < report.epoch < 1
    assert (outcome.loss, outcome.rung.epochs) == (report.loss, 1)
    assert outcome.rung.data == pytest.approx(report.epoch), "it counts as an epoch of so much less data"
    (model,) = tmp_path.rglob("model.safetensors")
    made = job()
    made.model.load_state_dict(load_file(model))
    assert scores_of(made).loss == outcome.loss


def test_measuring_within_an_epoch_is_on_the_same_samples_each_time_and_changes_no_weight(monkeypatch, tmp_path):
    seen = []
    glance = ImageBatches(*images(6, 2), CPU, mean=(128, 128, 128), std=(64, 64, 64))
    usual = loop.measure

    def spy(made, context, judge=None, **options):
        seen.append(judge)
        return usual(made, context, judge, **options)

    trained(3, tmp_path / "without", glance=glance)
    monkeypatch.setattr(loop, "measure", spy)
    monkeypatch.setattr(loop, "FIRST_INTERIM", 0.0)
    monkeypatch.setattr(loop, "INTERIM_SHARE", 1e9)
    outcome = trained(3, tmp_path / "with", glance=glance)
    within = [report.epoch for report in outcome.reports if report.epoch != int(report.epoch)]
    assert len(within) > 3
    assert sum(judge is glance for judge in seen) >= len(within)
    one, other = weights(tmp_path / "with"), weights(tmp_path / "without")
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_patience_begins_the_decay_early(tmp_path):
    flat = {"peak": 1e-12}  # never gets better after the first epoch
    patient, impatient = trained(FULL, **flat), trained(FULL, tmp_path, patience=2, **flat)
    assert [report.epoch for report in patient.reports] == list(range(1, FULL + 1))
    assert [report.epoch for report in impatient.reports] == [1, 2, 3, FULL], "two epochs without a better loss"
    assert impatient.status == "ok"
    assert impatient.metrics["samples"] == (3 + 0.8) * 40, "a decay of a fifth: 4 steps for 15"
    assert impatient.metrics["samples"] < patient.metrics["samples"] / 2


def test_patience_that_is_not_needed_changes_nothing(tmp_path):
    for name, patience in (("patient", None), ("impatient", FULL)):
        trained(FULL, tmp_path / name, patience=patience)
    one, other = weights(tmp_path / "patient"), weights(tmp_path / "impatient")
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_measuring_takes_no_more_than_training_however_small_the_subset():
    def epochs(**changes):
        return [report.epoch for report in trained(FULL, **changes).reports]

    assert epochs(n=40, judged=40) == list(range(1, FULL + 1))
    assert epochs(n=20, judged=40) == [2, 4, 6, 8, 9]
    assert epochs(n=20, judged=1000) == [FULL]
    assert epochs(n=20, judged=1000, patience=FULL) == list(range(1, FULL + 1))


def test_a_final_validation_measures_once():
    outcome = trained(FULL, final=True)
    assert [report.epoch for report in outcome.reports] == [FULL]


def test_scores_are_those_of_scikit_learn():
    from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss

    made = job(judged=50)
    found = []

    def once(config, rung, context):
        found.append(loop.measure(made, context))
        return found[0].loss

    evaluate(Task("m", SPACE, once, Fidelity()), Trial(0, {"x": 0.5}, Rung(1)), TrialSetup())
    (scores,), (batch,) = found, list(made.judge.ordered(50))
    with torch.inference_mode():
        sure = made.model.eval()(*batch.inputs).softmax(1).numpy()
    truth, said = batch.labels.numpy(), sure.argmax(1)
    assert (scores.confusion == confusion_matrix(truth, said, labels=range(3))).all()
    assert scores.accuracy == pytest.approx(accuracy_score(truth, said))
    assert scores.macro_f1 == pytest.approx(f1_score(truth, said, average="macro", labels=range(3), zero_division=0))
    assert scores.cross_entropy == pytest.approx(log_loss(truth, sure, labels=range(3)), rel=1e-5)


# --- one step


def out_of_memory_above(model, most, times=10**9):
    """`model` with room for `most` samples at a time, the first so many times that more come."""
    real, left = model.forward, [times]

    def forward(x):
        if len(x) > most and left[0]:
            left[0] -= 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return real(x)

    model.forward = forward


def stepped(made, size, **changes):
    """The gradient and loss of one step on `size` samples."""
    stepper = loop.Stepper(replace(made, batch_size=size, clip=None, **changes), 0)
    batch = made.learn.epoch(size, np.random.default_rng(0))[0]
    loss = stepper.step(batch, 0, 1.0)
    return float(loss), [parameter.grad.clone() for parameter in made.model.parameters()]


@pytest.mark.parametrize("size", [2, 7, 16])
def test_after_out_of_memory_half_the_batch_at_a_time_gives_the_same_gradient(size):
    roomy, short = job(), job()
    for made in (roomy, short):
        made.model[1].p = 0.0
    out_of_memory_above(short.model, (size + 1) // 2)
    (loss, gradient), (again, summed) = stepped(roomy, size, smoothing=0.1), stepped(short, size, smoothing=0.1)
    assert again == pytest.approx(loss)
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(gradient, summed, strict=True))


def test_out_of_memory_is_met_once_and_its_trial_goes_on_with_half_of_each_batch():
    made = job()
    out_of_memory_above(made.model, 4, times=1)
    seen = []
    made.model.register_forward_pre_hook(
        lambda module, inputs: seen.append(len(inputs[0])) if module.training else None
    )
    outcome = trained(2, made=made)
    assert outcome.status == "ok", outcome.error
    assert seen == [8, *[4] * 20]


def test_out_of_memory_for_the_second_time_is_a_failed_trial():
    made = job()
    out_of_memory_above(made.model, 3)
    outcome = trained(2, made=made)
    assert outcome.status == "memory"
    assert outcome.loss is None
    assert "CUDA out of memory" in outcome.error


def test_out_of_memory_is_met_once_in_a_trial_not_once_a_batch():
    made = job()
    real, calls = made.model.forward, []

    def forward(x):
        calls.append(len(x))
        if len(calls) in (1, 6):
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(x)

    made.model.forward = forward
    outcome = trained(2, made=made)
    assert outcome.status == "memory"
    assert calls == [8, 4, 4, 4, 4, 4]


def test_gradients_are_cut_to_the_norm_given():
    made = job(clip=1e-3)
    stepper = loop.Stepper(made, 0)
    stepper.step(made.learn.epoch(8, np.random.default_rng(0))[0], 0, 1.0)
    norm = torch.stack([parameter.grad.norm() for parameter in made.model.parameters()]).norm()
    assert float(norm) == pytest.approx(1e-3, rel=1e-3)


def test_dropout_follows_from_the_seed_and_the_step_alone():
    def drawn(seed, number):
        made = job()
        loop.Stepper(made, seed).step(made.learn.epoch(8, np.random.default_rng(0))[0], number, 1.0)
        return made.model[2].weight.grad

    torch.rand(3)
    first = drawn(1, 5)
    torch.rand(7)
    assert torch.equal(first, drawn(1, 5))
    assert not torch.equal(first, drawn(1, 6))
    assert not torch.equal(first, drawn(2, 5))


def test_parts_of_a_batch_are_all_of_it():
    batch = Batch((torch.arange(10), torch.arange(10) * 2), torch.arange(10))
    parts = list(batch.split(4))
    assert [len(part) for part in parts] == [4, 4, 2]
    assert torch.cat([part.inputs[1] for part in parts]).tolist() == list(range(0, 20, 2))


# --- devices


def with_devices(monkeypatch, **here):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: here.get("cuda", False))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: here.get("mps", False))


@pytest.mark.parametrize(
    ("here", "chosen"), [({}, "cpu"), ({"cuda": True}, "cuda"), ({"mps": True}, "mps"), ({"cuda": 1, "mps": 1}, "cuda")]
)
def test_auto_is_the_fastest_device_that_is_there(monkeypatch, here, chosen):
    with_devices(monkeypatch, **here)
    assert device_of("auto").type == chosen
    assert device_of(chosen).type == chosen


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_one_line_with_what_is(monkeypatch, name):
    with_devices(monkeypatch)
    with pytest.raises(
        BadValue, match=rf"device '{name}': PyTorch .* finds none here, only cpu; give 'auto'"
    ) as caught:
        device_of(name)
    assert "\n" not in str(caught.value)
    with pytest.raises(BadValue, match="give one of auto, cpu, cuda, mps"):
        device_of("gpu")


@pytest.mark.parametrize(("capability", "there"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_bfloat16_is_for_gpus_that_multiply_in_it(monkeypatch, capability, there):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert has_bf16(torch.device("cuda")) is there


@pytest.mark.parametrize("there", [True, False])
def test_bfloat16_is_for_processors_with_units_for_it(monkeypatch, there):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: there)
    with autocast(CPU):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if there else torch.float32)
    monkeypatch.delattr(torch.cpu, "_is_amx_tile_supported")
    assert isinstance(autocast(CPU), nullcontext)


def test_data_lies_on_a_gpu_if_half_of_its_free_memory_is_enough(monkeypatch):
    gpu = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 8000))
    assert resident(500, gpu) == gpu
    assert resident(501, gpu) == CPU
    assert resident(10**12, CPU) == CPU


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_optimizers_are_fused_and_let_biases_be(name):
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    optimizer = optimizer_of(name, model, weight_decay=0.3)
    assert [group["fused"] for group in optimizer.param_groups] == [True, True]
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert [decay[id(p)] for p in model.parameters()] == [0.3, 0.0, 0.0, 0.0]


def unreal(model, learn):
    """A job on a device without data, where whatever would wait for a result fails."""
    model.to(META)
    optimizer = optimizer_of("adamw", model, weight_decay=0.01)
    return job(model=model, optimizer=optimizer, learn=learn, device=META, classes=10)


def resnet():
    from mfbo.tasks.predict.cifar10 import network

    norm = {"mean": (128, 128, 128), "std": (64, 64, 64)}
    pictures = ImageBatches(np.zeros((20, 32, 32, 3), np.uint8), np.arange(20) % 10, META, **norm, flip=True, crop=4)
    return network(10), pictures


def lstm():
    from mfbo.data import Tokens
    from mfbo.tasks.predict.imdb import ReviewLSTM
    from mfbo.tasks.training.batches import TextBatches

    offsets = np.concatenate([[0], np.cumsum(np.arange(1, 21))])
    tokens = Tokens(np.ones(offsets[-1], np.int32), offsets, np.arange(20) % 2, ("neg", "pos"))
    return ReviewLSTM(words=9, hidden_size=4, embedding_size=4), TextBatches(tokens, np.arange(20), 12, META)


@pytest.mark.parametrize("parts", [resnet, lstm])
def test_no_step_waits_for_the_device(parts):
    made = unreal(*parts())
    stepper, epoch = loop.Stepper(made, 0), made.learn.epoch(8, np.random.default_rng(0))
    for number in range(3):
        assert stepper.step(epoch[number], number, 0.5).device == META


def test_where_there_is_no_fused_kernel_the_plain_optimizer_serves():
    model = nn.Linear(2, 2).to(META)
    assert [group["fused"] for group in optimizer_of("adamw", model, weight_decay=0.1).param_groups] == [False, False]


class Library:
    """What is asked of the C library."""

    def __init__(self):
        self.asked = []

    def mallopt(self, *given):
        self.asked.append(given)

    def malloc_trim(self, *given):
        self.asked.append("trim")


def test_memory_is_kept_while_a_cpu_trains_and_given_back_however_it_ends(monkeypatch):
    library = Library()
    monkeypatch.setattr(device.ctypes, "CDLL", lambda name: library)
    made = job()
    made.model.forward = None
    assert trained(1, made=made).status == "failed"
    assert library.asked == [(-1, -1), (-4, 0), "trim"]
    library.asked.clear()
    with keeping_memory(META):
        pass
    assert library.asked == []


def test_without_glibc_training_goes_on_as_it_is(monkeypatch):
    def missing(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(device.ctypes, "CDLL", missing)
    assert trained(1).status == "ok"
