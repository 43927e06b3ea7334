"""Trials on a Dask cluster: a real scheduler and real workers on loopback, with workers that die and that come late."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import loopback
import psutil
import pytest
from ConfigSpace import ConfigurationSpace
from loopback import LONG, Loopback, awaited

import mfbo
from mfbo.errors import BadValue, NoCluster
from mfbo.executors.dask_worker import DaskWorker
from mfbo.ledger.journal import read
from mfbo.ledger.observer import Observer
from mfbo.trial import Trial


@pytest.fixture(scope="module")
def cluster():
    with Loopback() as cluster:
        yield cluster


def workers(cluster, number):
    """So many of them, from now on."""
    cluster.add(max(0, number - len(cluster.workers)))
    while len(cluster.workers) > number:
        cluster.kill()


def on(cluster, **more):
    return mfbo.Settings(scheduler=cluster.scheduler, **more)


def of(names, train, **more):
    """A task whose configurations have these names, all at full fidelity with the grid."""
    space = ConfigurationSpace({"what": list(names)})
    return mfbo.Task("named", space, lambda config, rung, context: train(config["what"], rung, context), **more)


class Recorded(Observer):
    """Keeps what it is told, and calls what is given for it."""

    def __init__(self, **calls):
        self.calls, self.notes, self.statuses = calls, [], []

    def on_note(self, text):
        self.notes.append(text)

    def on_start(self, run):
        self.calls.get("began", lambda run: None)(run)

    def on_trial(self, trial):
        self.calls.get("asked", lambda trial: None)(trial)

    def on_result(self, result, best):
        self.statuses.append(result.outcome.status)
        self.calls.get("told", lambda result: None)(result)


@pytest.mark.slow
def test_each_fault_is_data_and_the_workers_go_on(cluster):
    def train(what, rung, context):
        context.report(0.5)
        if what == "raises":
            raise RuntimeError("no such luck")
        if what == "is killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "hangs":
            time.sleep(600)
        return 0.5

    names = {"is fine": "ok", "raises": "failed", "is killed": "killed", "hangs": "timeout", "is fine too": "ok"}
    workers(cluster, 2)
    how = on(cluster, max_trial_time="0.5s")
    result = mfbo.tune(of(names, train), max_trials=9, optimizer="grid", settings=how)
    assert {r.trial.config["what"]: r.outcome.status for r in result.ledger.results} == names
    assert (result.status, result.trials) == ("exhausted", 5)
    assert all(r.outcome.cost > 0 and r.outcome.reports for r in result.ledger.results)


@pytest.mark.slow
def test_the_trial_of_a_worker_that_dies_is_asked_again_of_one_that_comes_late(cluster, tmp_path, monkeypatch):
    poll = DaskWorker.poll

    def heard(worker):
        outcome = poll(worker)
        if worker._reports:
            (tmp_path / "heard").touch()
        return outcome

    def train(config, rung, context):
        for _ in range(context.start_epoch, 2):
            context.report(config["x"])
        if not (tmp_path / "died").exists():
            awaited(tmp_path / "heard")
            (tmp_path / "died").touch()
            os.kill(psutil.Process(os.getppid()).ppid(), signal.SIGKILL)  # the Dask worker, above the keeper
            time.sleep(600)
        context.report(config["x"])
        return config["x"]

    workers(cluster, 1)
    monkeypatch.setattr(DaskWorker, "poll", heard)
    task = mfbo.Task("dies", ConfigurationSpace({"x": (0.0, 1.0)}), train, mfbo.Fidelity(epochs=3))
    late = Recorded(told=lambda result: result.outcome.status == "lost" and cluster.add())
    result = mfbo.tune(task, max_trials=2, optimizer="random", out=tmp_path, settings=on(cluster), observer=late)
    cluster.kill()  # it is dead already
    lost, again, other = result.ledger.results
    assert [r.outcome.status for r in (lost, again, other)] == ["lost", "ok", "ok"]
    assert [r.trial.id for r in (lost, again, other)] == [0, 0, 1]
    assert len(lost.outcome.reports) == 2
    assert lost.outcome.cost > 0
    assert "was lost" in lost.outcome.error
    assert other.spent == pytest.approx(sum(r.outcome.cost + r.overhead for r in result.ledger.results))
    assert any("waiting for workers" in note for note in late.notes)
    assert read(tmp_path).results == result.ledger.results
    assert mfbo.resume(tmp_path, task=task, scheduler="local").ledger.results == result.ledger.results


@pytest.mark.slow
def test_a_worker_that_joins_is_used_at_once(cluster, tmp_path):
    def train(what, rung, context):
        if what == "frees":
            (tmp_path / "free").touch()
        awaited(tmp_path / "free")
        return 0.5

    def asked(trial):
        order.append(trial.config["what"])
        if len(order) == 1:
            cluster.add()

    workers(cluster, 1)
    order = []
    task = of(["frees", "waits"], train)
    seed = next(seed for seed in range(9) if first(task, seed) == "waits")
    result = mfbo.tune(
        task, max_trials=9, optimizer="grid", seed=seed, settings=on(cluster), observer=Recorded(asked=asked)
    )
    assert order == ["waits", "frees"]
    assert [r.outcome.status for r in result.ledger.results] == ["ok", "ok"]


def first(task, seed):
    from mfbo.optimizers.registry import make
    from mfbo.search import Search

    return make(Search("grid", seed), task, task.fidelity.ladder()).ask().config["what"]


@pytest.mark.slow
@pytest.mark.parametrize("reports", [True, False])
def test_the_limit_holds_by_a_report_or_by_force(cluster, tmp_path, reports):
    def train(config, rung, context):
        end = time.monotonic() + 600
        while time.monotonic() < end:
            time.sleep(0.02)
            if reports:
                context.report(config["x"])

    workers(cluster, 2)
    task = mfbo.Task("long", ConfigurationSpace({"x": (0.0, 1.0)}), train)
    if not reports:
        result = mfbo.tune(task, 0.6, optimizer="random", settings=on(cluster), out=tmp_path / "run")
        assert (result.best, result.status) == (None, "budget")
        assert {r.outcome.status for r in result.ledger.results} == {"stopped"}
        return
    began = time.monotonic()
    result = mfbo.tune(task, 0.6, optimizer="random", settings=on(cluster))
    assert result.cost <= 2 * (time.monotonic() - began)
    assert {r.outcome.status for r in result.ledger.results} == {"stopped"}
    assert result.best is not None


@pytest.mark.slow
@pytest.mark.parametrize("shared", [True, False])
def test_checkpoints_are_used_where_the_folder_is_shared_and_the_ledger_says_so(cluster, tmp_path, monkeypatch, shared):
    def train(config, rung, context):
        for epoch in range(context.start_epoch, rung.epochs):
            context.report(config["x"] + 1 / (epoch + 1))
        if context.keeps_checkpoints:
            with context.save(rung.epochs) as folder:
                (folder / "epochs").write_text(str(rung.epochs))
        return config["x"] + 1 / rung.epochs

    if not shared:
        monkeypatch.setattr("mfbo.executors.dask.uuid4", lambda: type("Other", (), {"hex": "another folder's"}))
        monkeypatch.setattr("mfbo.executors.dask.Path.write_text", lambda path, text, **how: path.touch())
    workers(cluster, 2)
    heard = Recorded()
    monkeypatch.chdir(tmp_path)  # a relative folder is found by the workers too
    task = mfbo.Task("kept", ConfigurationSpace({"x": (0.0, 1.0)}), train, mfbo.Fidelity(epochs=(1, 9)))
    result = mfbo.tune(task, "3x", optimizer="hyperband", out="run", settings=on(cluster), observer=heard)
    done = {}
    for entry in result.ledger.results:  # in what order, and how far they get, depends on the clock
        assert entry.outcome.start_epoch == (done.get(entry.trial.key, 0) if shared else 0)
        done[entry.trial.key] = entry.outcome.rung.epochs
    assert max(done.values()) > 1
    assert any("does not see the checkpoints" in note for note in heard.notes) is not shared
    assert [path.name for path in Path("run").iterdir() if path.name.startswith(".")] == []


@pytest.mark.slow
def test_a_users_file_goes_along_to_workers_that_do_not_have_it(cluster, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(TASK_FILE)
    workers(cluster, 1)
    gone = Recorded(began=lambda run: file.unlink())
    result = mfbo.tune(f"{file}:task", max_trials=2, optimizer="random", settings=on(cluster), observer=gone)
    assert [r.outcome.status for r in result.ledger.results] == ["ok", "ok"]
    assert gone.notes[0] == f"running your own code: {file}"


TASK_FILE = """
import os, time
import mfbo
from pathlib import Path
from ConfigSpace import ConfigurationSpace

def train(config, fidelity, context):
    if PID and not Path("pid").exists():
        Path("pid").write_text(str(os.getpid()))
    for epoch in range(fidelity.epochs):
        context.report(config["x"] ** 2)
        while Path("hang").exists():
            time.sleep(0.01)
    return config["x"] ** 2

PID = False
task = mfbo.Task("mine", ConfigurationSpace({"x": (-5.0, 5.0)}), train)
"""


@pytest.mark.slow
def test_a_killed_run_leaves_nothing_running_and_goes_on_where_it_is_told(cluster, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(TASK_FILE.replace("PID = False", "PID = True"))
    (tmp_path / "hang").touch()
    workers(cluster, 1)
    command = ["tune", "mine.py:task", "--max-trials", "3", "--optimizer", "random", "--out", "run"]
    run = subprocess.Popen(
        [sys.executable, "-m", "mfbo", *command, "--scheduler", cluster.scheduler],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
    )
    awaited(tmp_path / "pid")
    limit = time.monotonic() + LONG
    while not (pid := (tmp_path / "pid").read_text()):
        assert time.monotonic() < limit
    trial = psutil.Process(int(pid))
    run.kill()
    run.communicate()
    _, alive = psutil.wait_procs([trial], timeout=LONG)
    assert not alive
    (tmp_path / "hang").unlink()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadValue, match="give where it continues"):
        mfbo.resume("run")
    before = read("run")
    after = mfbo.resume("run", scheduler=cluster.scheduler)
    assert (after.trials, after.status) == (3, "trials")
    assert before.asks.items() <= after.ledger.asks.items()


@pytest.mark.slow
def test_no_more_workers_are_used_than_were_named(cluster):
    from mfbo.executors.dask import DaskExecutor
    from mfbo.executors.evaluate import TrialSetup

    workers(cluster, 2)
    task = of(["a", "b"], lambda what, rung, context: 0.5)
    executor = DaskExecutor(task, TrialSetup(), scheduler=cluster.scheduler, most=1, grace=1)
    try:
        while not executor.slots:
            assert executor.wait(mfbo_allowance()) is None
        executor.submit(Trial(0, {"what": "a"}, task.fidelity.full), 0)
        while (ended := executor.wait(mfbo_allowance())) is None:
            pass
        assert ended[1].status == "ok"
        assert executor.slots == 1
    finally:
        executor.close()


def mfbo_allowance():
    from mfbo.executors import Allowance

    return Allowance(LONG, LONG)


@pytest.mark.slow
def test_a_worker_that_cannot_be_used_is_named_with_the_reason(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr("mfbo.executors.dask_worker.versions", lambda: {"mfbo": "another"})
    workers(cluster, 1)
    heard = Recorded()
    task = of(["a"], lambda what, rung, context: 0.5)
    with pytest.raises(NoCluster, match=r"no worker of .* can run trials; tcp://.*: it has mfbo .*, the run another"):
        mfbo.tune(task, 9, optimizer="grid", out=tmp_path / "run", settings=on(cluster), observer=heard)
    assert "cannot be used: it has mfbo" in heard.notes[-1]
    assert mfbo.resume(tmp_path / "run", task=task, scheduler="local").status == "exhausted"


def test_a_virtual_task_needs_no_cluster_and_says_so(task, tmp_path):
    heard = Recorded()
    (tmp_path / "file.json").touch()
    how = mfbo.Settings(scheduler=str(tmp_path / "file.json"), workers=3)
    assert mfbo.tune(task, "2x", optimizer="random", settings=how, observer=heard).status == "budget"
    assert any("simulated" in note for note in heard.notes)


@pytest.mark.parametrize(
    ("scheduler", "error"),
    [("tcp://127.0.0.1:9", NoCluster), ("nowhere.json", BadValue), ("127.0.0.1:8786", BadValue)],
)
def test_a_scheduler_that_is_not_there_is_refused_and_nothing_is_written(tmp_path, monkeypatch, scheduler, error):
    monkeypatch.setattr("mfbo.executors.dask.ANSWER", 0.5)
    task = of(["a"], lambda what, rung, context: 0.5)
    with pytest.raises(error) as caught:
        mfbo.tune(task, 9, optimizer="grid", out=tmp_path / "run", settings=mfbo.Settings(scheduler=scheduler))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_run_whose_scheduler_dies_keeps_what_it_has_and_goes_on_here(tmp_path, monkeypatch):
    def train(what, rung, context):
        context.report(0.5)
        if what == "waits" and not (tmp_path / "gone").exists():
            (tmp_path / "waits").touch()
            time.sleep(600)
        return 0.5

    def stop():
        awaited(tmp_path / "waits")
        monkeypatch.setattr("mfbo.executors.dask.ANSWER", 1)  # it will not come
        cluster.stop()
        (tmp_path / "gone").touch()

    task = of(["frees", "waits"], train)
    seed = next(seed for seed in range(9) if first(task, seed) == "frees")
    with Loopback() as cluster:
        cluster.add()
        with pytest.raises(NoCluster, match="does not answer any more"):
            mfbo.tune(
                task,
                max_trials=9,
                optimizer="grid",
                seed=seed,
                out=tmp_path / "run",
                settings=on(cluster),
                observer=Recorded(told=lambda result: threading.Thread(target=stop).start()),
            )
    run = read(tmp_path / "run")
    assert [r.outcome.status for r in run.results] == ["ok", "lost"]
    after = mfbo.resume(tmp_path / "run", task=task, scheduler="local")
    assert [r.outcome.status for r in after.ledger.results] == ["ok", "lost", "ok"]
    assert after.status == "exhausted"
    assert read(tmp_path / "run").header.settings.scheduler


@pytest.mark.slow
def test_the_example_for_batch_systems_runs_as_it_stands_and_a_worker_that_dies_below_its_nanny_comes_back(tmp_path):
    (tmp_path / "mine.py").write_text(TASK_FILE.replace("    for epoch", DIES + "    for epoch"))
    command = [sys.executable, str(Path(loopback.__file__).with_name("cluster.py")), "local", "mine.py:task", "3x"]
    done = subprocess.run(  # noqa: PLW1510
        [*command, "--jobs", "1", "--memory", "1GB", "--out", "run"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    run = read(tmp_path / "run")
    assert [r.outcome.status for r in run.results].count("lost") == 1
    assert {r.outcome.status for r in run.results} == {"ok", "lost"}
    assert run.ended == "budget"


DIES = """
    if not Path("died").exists():
        Path("died").touch()
        import psutil
        os.kill(psutil.Process(os.getppid()).ppid(), 9)  # the Dask worker, above the keeper
        time.sleep(600)
"""


@pytest.mark.parametrize("kind", ["slurm", "pbs"])
def test_the_example_asks_a_batch_system_for_what_was_said(kind):
    from cluster import cluster_of

    job = {
        "cores": 8,
        "processes": 1,
        "memory": "16GB",
        "walltime": "02:00:00",
        "job_extra_directives": ["--gres=gpu:1"],
    }
    with cluster_of(kind)(**job, scheduler_options={"dashboard_address": ":0", "host": "127.0.0.1"}) as cluster:
        script = cluster.job_script()
    assert "02:00:00" in script
    assert "--gres=gpu:1" in script
    assert "--nthreads 8" in script
