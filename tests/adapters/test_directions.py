"""A maximised metric that other libraries measure, in real trainings: its sign and its name, from there to trackers."""

from __future__ import annotations

import pytest
from ConfigSpace import ConfigurationSpace

import mfbo
from mfbo.errors import NoTrialSucceeded
from mfbo.exports import export_run

pytestmark = pytest.mark.slow
QUALITIES = [0.3, 0.9, 0.6]  # of three configurations; the best is neither the first nor the last
SPACE = ConfigurationSpace({"quality": QUALITIES})
EPOCHS = mfbo.Fidelity(epochs=(1, 2))


def tuned(train, **asked):
    """The result of a grid over all, in this process."""
    task = mfbo.Task("trained", SPACE, train, EPOCHS, stateless=True)
    return mfbo.tune(task, max_trials=3, optimizer="grid", workers=0, progress=False, **asked)


def of_trainer(**arguments_of_mine):
    """A train function around a real Trainer of a tiny model, whose evaluation says what the configuration holds."""
    transformers = pytest.importorskip("transformers")
    from mfbo.adapters.trainer import arguments, fit

    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    rows = [{"input_ids": [i % 5, 1], "labels": i % 2} for i in range(8)]

    def train(config, fidelity, context):
        model = transformers.BertForSequenceClassification(transformers.BertConfig(vocab_size=5, num_labels=2, **shape))
        trainer = transformers.Trainer(
            model=model,
            args=arguments(fidelity, context, use_cpu=True, **arguments_of_mine),
            train_dataset=rows,
            eval_dataset=rows,
            compute_metrics=lambda found: {"accuracy": config["quality"], "f1": 1 - config["quality"]},
        )
        return fit(trainer, context)

    return train


@pytest.mark.needs("torch", "transformers")
@pytest.mark.parametrize(
    ("mine", "asked", "name", "value"),
    [
        ({}, {"metric": "max:accuracy"}, "accuracy", 0.9),
        ({"metric_for_best_model": "f1"}, {"metric": "max:accuracy"}, "accuracy", 0.9),
        ({"metric_for_best_model": "accuracy", "greater_is_better": True}, {"maximize": True}, "score", 0.9),
        ({"metric_for_best_model": "accuracy", "greater_is_better": False}, {"maximize": False}, "loss", 0.3),
        ({}, {"metric": "min:f1"}, "f1", 0.1),
    ],
)
def test_a_trainer_measures_what_the_run_names_in_its_own_sign(mine, asked, name, value):
    result = tuned(of_trainer(**mine), **asked)
    assert (result.best.goal.name, result.best.value) == (name, pytest.approx(value))
    assert [report.loss for report in result.ledger.results[0].outcome.reports] != []


@pytest.mark.needs("torch", "transformers")
@pytest.mark.parametrize(
    ("mine", "asked"),
    [
        ({"metric_for_best_model": "accuracy", "greater_is_better": True}, {}),
        ({"metric_for_best_model": "accuracy", "greater_is_better": False}, {"metric": "max:accuracy"}),
        ({}, {"maximize": True}),  # of eval_loss
    ],
)
def test_a_trainer_that_is_after_the_opposite_is_refused(mine, asked):
    with pytest.raises((mfbo.MfboError, NoTrialSucceeded), match="name what is measured in the task"):
        tuned(of_trainer(**mine), **asked)


def of_lightning(mode=None, monitor=None, callbacks=()):
    """A train function around a real Lightning fit of one weight, which logs what the configuration holds."""
    lightning = pytest.importorskip("lightning")
    import torch

    from mfbo.adapters.lightning import fit, trainer

    class Module(lightning.LightningModule):
        def __init__(self, quality):
            super().__init__()
            self.layer, self.quality = torch.nn.Linear(1, 1), quality

        def training_step(self, batch, number):
            return self.layer(batch).sum()

        def validation_step(self, batch, number):
            self.log("val_acc", self.quality)
            self.log("val_loss", 1 - self.quality)

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    def train(config, fidelity, context):
        data = torch.utils.data.DataLoader(torch.ones(4, 1), batch_size=2)
        made = [make(lightning) for make in callbacks]
        return fit(
            trainer(fidelity, context, callbacks=made),
            Module(config["quality"]),
            context,
            monitor,
            mode=mode,
            train_dataloaders=data,
            val_dataloaders=data,
        )

    return train


def early(monitor, mode):
    return lambda lightning: lightning.pytorch.callbacks.EarlyStopping(monitor=monitor, mode=mode)


@pytest.mark.needs("torch", "lightning")
@pytest.mark.parametrize(
    ("mine", "asked", "name", "value"),
    [
        ({}, {}, "loss", 0.1),
        ({}, {"metric": "max:val_acc"}, "val_acc", 0.9),
        ({"mode": "max"}, {"metric": "max:val_acc"}, "val_acc", 0.9),
        ({"callbacks": [early("val_acc", "max")]}, {"metric": "max:val_acc"}, "val_acc", 0.9),
        ({"callbacks": [early("val_loss", "min")]}, {"metric": "max:val_acc"}, "val_acc", 0.9),
        ({"monitor": "val_acc"}, {"maximize": True}, "score", 0.9),
    ],
)
def test_a_lightning_module_logs_what_the_run_names_in_its_own_sign(mine, asked, name, value):
    result = tuned(of_lightning(**mine), **asked)
    assert (result.best.goal.name, result.best.value) == (name, pytest.approx(value))


@pytest.mark.needs("torch", "lightning")
@pytest.mark.parametrize(
    ("mine", "asked"),
    [
        ({"mode": "min"}, {"metric": "max:val_acc"}),
        ({"monitor": "val_acc"}, {}),
        ({}, {"maximize": True}),  # of val_loss
        ({"callbacks": [early("val_acc", "min")]}, {"metric": "max:val_acc"}),
    ],
)
def test_a_lightning_module_that_is_after_the_opposite_is_refused(mine, asked):
    with pytest.raises((mfbo.MfboError, NoTrialSucceeded), match="name what is measured in the task"):
        tuned(of_lightning(**mine), **asked)


def maximised():
    return tuned(lambda config, fidelity, context: config["quality"], metric="max:val_acc").ledger


@pytest.mark.needs("tensorboard", "tensorboardX")
def test_tensorboard_has_the_metric_in_its_own_sign(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out = export_run(maximised(), "tensorboard", tmp_path / "events")
    whole = EventAccumulator(str(out)).Reload()
    incumbent = [event.value for event in whole.Scalars("incumbent/val_acc")]
    assert (incumbent, incumbent[-1]) == (sorted(incumbent), pytest.approx(0.9))
    finals = []
    for folder in sorted(out.glob("trial-*/hparams")):
        finals += [event.value for event in EventAccumulator(str(folder)).Reload().Scalars("final/val_acc")]
    assert sorted(finals) == pytest.approx(sorted(QUALITIES))


@pytest.mark.needs("mlflow")
@pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")  # MLflow's own
def test_mlflow_has_the_metric_in_its_own_sign(tmp_path):
    from mlflow import MlflowClient

    out = export_run(maximised(), "mlflow", tmp_path / "mlflow.db")
    client = MlflowClient(tracking_uri=f"sqlite:///{out}")
    found = client.search_runs([client.get_experiment_by_name("trained").experiment_id])
    trials = [run.data.metrics for run in found if "mlflow.parentRunId" in run.data.tags]
    assert sorted(one["final_val_acc"] for one in trials) == pytest.approx(sorted(QUALITIES))
    assert not any("loss" in name for one in found for name in one.data.metrics)
