"""What each worker of this machine gets of it: threads, a GPU; and how many there are by themselves."""

from __future__ import annotations

import os

import pytest

import mfbo
from mfbo.cli.options import workers_of
from mfbo.errors import BadValue
from mfbo.executors.share import automatic, gpus, shares
from mfbo.executors.worker import THREADS
from mfbo.ledger.environment import cores


@pytest.fixture(autouse=True)
def plain(monkeypatch, tmp_path):
    """A machine without GPUs, on which nothing is set."""
    for name in (*THREADS, "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def with_gpus(folder, number):
    """What ``nvidia-smi -L`` says where there are so many."""
    program = folder / "nvidia-smi"
    lines = "\n".join(f"GPU {i}: NVIDIA H200 (UUID: GPU-{i})" for i in range(number))
    program.write_text(f"#!/bin/sh\n[ \"$1\" = -L ] && echo '{lines}'\n")
    program.chmod(0o755)


@pytest.mark.parametrize("workers", [1, 2, 3, 64])
def test_the_cores_are_shared_out_and_none_is_promised_twice(workers, monkeypatch):
    monkeypatch.setattr("mfbo.executors.share.cores", lambda: 8)
    given = shares(workers)
    assert len(given) == workers
    threads = {share[name] for share in given for name in THREADS}
    assert threads == {str(max(1, 8 // workers))}


def test_a_number_of_threads_that_is_set_stays(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert all("OMP_NUM_THREADS" not in share and "MKL_NUM_THREADS" in share for share in shares(2))


def test_the_threads_that_openmp_is_told_of_are_those_of_all_libraries(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3,1")
    assert {share[name] for share in shares(2) for name in share} == {"3"}
    monkeypatch.setenv("MKL_NUM_THREADS", "5")
    assert all("MKL_NUM_THREADS" not in share for share in shares(2))


def test_each_of_several_workers_is_pinned_to_a_gpu_and_one_alone_sees_all(plain):
    with_gpus(plain, 2)
    assert gpus() == ["0", "1"]
    assert [share["CUDA_VISIBLE_DEVICES"] for share in shares(4)] == ["0", "1", "0", "1"]
    assert "CUDA_VISIBLE_DEVICES" not in shares(1)[0]


def test_gpus_that_are_hidden_are_not_used(plain, monkeypatch):
    with_gpus(plain, 4)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    assert [share["CUDA_VISIBLE_DEVICES"] for share in shares(2)] == ["2", "3"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert (gpus(), automatic()) == ([], cores())


def test_auto_is_a_worker_for_each_gpu_or_else_for_each_core(plain):
    assert workers_of("auto", None) == automatic() == cores()
    with_gpus(plain, 3)
    assert workers_of("auto", None) == automatic() == 3
    assert workers_of("auto", "tcp://host:1") is None


@pytest.mark.parametrize("text", ["", "-1", "two", "1.5", "9" * 5000, "٣"])
def test_what_is_no_number_of_workers_is_refused(text):
    with pytest.raises(BadValue, match="give 1 or more, 0 for"):
        workers_of(text, None)


@pytest.mark.slow
def test_a_worker_has_its_share_from_its_first_import_on(monkeypatch, plain):
    from ConfigSpace import ConfigurationSpace

    with_gpus(plain, 2)

    def train(config, fidelity, context):
        names = ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
        return mfbo.Measurement(0.0, metrics={name: float(os.environ[name]) for name in names})

    task = mfbo.Task("sees", ConfigurationSpace({"x": (0.0, 1.0)}), train)
    result = mfbo.tune(task, max_trials=6, optimizer="random", settings=mfbo.Settings(workers=2))
    seen = [r.outcome.metrics for r in result.ledger.results]
    assert {metrics["CUDA_VISIBLE_DEVICES"] for metrics in seen} == {0.0, 1.0}
    assert {metrics["OMP_NUM_THREADS"] for metrics in seen} == {float(max(1, cores() // 2))}


def test_more_processes_than_a_machine_can_start_are_refused(tmp_path):
    from ConfigSpace import ConfigurationSpace

    task = mfbo.Task("x", ConfigurationSpace({"x": (0.0, 1.0)}), lambda config, fidelity, context: 0.5)
    with pytest.raises(BadValue, match="this machine has"):
        mfbo.tune(task, 9, optimizer="random", out=tmp_path / "run", settings=mfbo.Settings(workers=10**6))
    assert not (tmp_path / "run").exists()
