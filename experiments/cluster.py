"""A run on the nodes of Slurm, PBS, SGE, LSF or HTCondor: dask-jobqueue submits the jobs, mfbo runs trials in them.

    python experiments/cluster.py slurm digits 10m --jobs 4 --cores 8 --memory 16GB --walltime 02:00:00
    python experiments/cluster.py local digits 30s --jobs 2 --cores 1 --memory 2GB

``local`` runs the jobs' scripts on this machine, to try it out. A job is one worker, and runs one trial at a time on
all of its cores. What a site wants besides, such as a partition or an account, goes into dask-jobqueue's own file,
``~/.config/dask/jobqueue.yaml``, or after ``--directive``: ``--directive=--gres=gpu:1``.

A job that ends, or is killed, takes its trial with it; what it had used is charged, and the trial runs again elsewhere.
Ask for a fixed number of jobs, as here: to Dask's ``adapt`` the workers seem idle, for trials are none of its tasks.
Run folders belong on a file system that the nodes share, or every trial starts from scratch.
"""

from __future__ import annotations

import importlib
from typing import Any

import click

import mfbo
from mfbo.display import make

KINDS = {
    "slurm": "dask_jobqueue.SLURMCluster",
    "pbs": "dask_jobqueue.PBSCluster",
    "sge": "dask_jobqueue.SGECluster",
    "lsf": "dask_jobqueue.LSFCluster",
    "htcondor": "dask_jobqueue.HTCondorCluster",
    "local": "dask_jobqueue.local.LocalCluster",
}


def cluster_of(kind: str) -> Any:
    """The class of that name."""
    module, _, name = KINDS[kind].rpartition(".")
    return getattr(importlib.import_module(module), name)


@click.command()
@click.argument("kind", type=click.Choice(sorted(KINDS)))
@click.argument("task")
@click.argument("max_cost")
@click.option("--jobs", default=2, show_default=True, help="Workers; each is a job of its own.")
@click.option("--cores", default=1, show_default=True, help="Of each job.")
@click.option("--memory", default="4GB", show_default=True, help="Of each job.")
@click.option("--walltime", default="01:00:00", show_default=True, help="Of each job.")
@click.option("--directive", multiple=True, help="A further line for the queue, such as --gres=gpu:1.")
@click.option("--out", help="Run folder.")
def main(
    *,
    kind: str,
    task: str,
    max_cost: str,
    jobs: int,
    cores: int,
    memory: str,
    walltime: str,
    directive: tuple[str, ...],
    out: str | None,
) -> None:
    """Tune TASK within MAX_COST on a cluster of that KIND."""
    job: dict[str, Any] = {"cores": cores, "processes": 1, "memory": memory, "job_extra_directives": list(directive)}
    job["scheduler_options"] = {"dashboard_address": ":0"}  # a port that is free
    if kind != "local":
        job["walltime"] = walltime
    with cluster_of(kind)(**job) as cluster:
        cluster.scale(jobs=jobs)
        settings = mfbo.Settings(scheduler=cluster.scheduler_address)
        result = mfbo.tune(task, max_cost, out=out, settings=settings, observer=make(quiet=False))
    click.echo(result.best)


if __name__ == "__main__":
    main()
