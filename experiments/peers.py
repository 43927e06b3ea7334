r"""Peers of `smac` on the suite's clock, space, seeds and rungs, each in its own best documented setting.

    MFBO_DATA=... python experiments/suite.py --families lcbench --seeds 3 --max-cost 32 --optimizers peers:dehb

None of them is a dependency of mfbo, and each has an environment of its own. From the folder of the repository::

    uv venv dehb && printf 'numpy<2\npandas<3\n' > override.txt && \
        VIRTUAL_ENV=dehb uv pip install --override override.txt -e '.[lcbench]' dehb==0.1.2
    uv venv syne && VIRTUAL_ENV=syne uv pip install -e '.[lcbench]' syne-tune==0.16.0 huggingface_hub fastparquet
    uv venv neps && VIRTUAL_ENV=neps uv pip install -e '.[lcbench]' neural-pipeline-search==0.17.0

DEHB 0.1.2 asks for NumPy below 2 and mfbo for 2 or above; the override gives DEHB what it asks for (and a pandas
that goes with it), and what mfbo needs for the suite works there. Syne Tune imports huggingface_hub for its `ASHACQR`
without requiring it.

All are driven by their own ask and tell, or as their own tuner would drive them. Levels of the ladder are given to them
as resources 1, 3, 9, 27 with a factor of 3, which makes their rungs the suite's whatever the task rounds its epochs to.
What their ask takes is not on the clock. `peer_checks.py` checks an adapter in the peer's environment. A peer refuses
a space that it has no words for: forbidden clauses all, conditions Syne Tune and NePS.

Left out, with the reason: NePS's ifBO loads the weights of its surrogate from the network when it starts; Syne Tune's
MOBSTER and Hyper-Tune are no longer part of it (its last releases have ASHA, BOHB, ASHABORE and ASHACQR).
"""

from __future__ import annotations

from collections.abc import Sequence

from peer_base import Peer

from mfbo.task import Task
from mfbo.trial import Rung


def dehb(task: Task, rungs: Sequence[Rung], seed: int) -> Peer:
    """DEHB with its defaults, which are its paper's (Awad et al. 2021, IJCAI): rand1_bin, F = CR = 0.5, eta 3."""
    from peer_dehb import Dehb

    return Peer(Dehb(task.space, rungs, seed), rungs)


def synetune(task: Task, rungs: Sequence[Rung], seed: int) -> Peer:
    """Syne Tune's newest: ASHA with conformalised quantile regression.

    Salinas et al. 2023 (ICML) found it ahead of the conventional methods; all else is Syne Tune's default.
    """
    return _synetune("ASHACQR", task, rungs, seed)


def synetune_bohb(task: Task, rungs: Sequence[Rung], seed: int) -> Peer:
    """Syne Tune's BOHB: ASHA with kernel density estimators (Falkner et al. 2018), with its defaults."""
    return _synetune("BOHB", task, rungs, seed)


def neps_hyperband(task: Task, rungs: Sequence[Rung], seed: int) -> Peer:
    """What NePS's ``auto`` takes for a space with a fidelity and without priors."""
    import neps
    from peer_neps import Neps

    return Peer(Neps(neps.algorithms.hyperband, task.space, rungs, seed, priors=False), rungs)


def neps_priorband(task: Task, rungs: Sequence[Rung], seed: int) -> Peer:
    """What NePS's ``auto`` takes for one with priors (Mallik et al. 2023, NeurIPS): those are the space's defaults."""
    import neps
    from peer_neps import Neps

    return Peer(Neps(neps.algorithms.priorband, task.space, rungs, seed, priors=True), rungs)


def _synetune(name: str, task: Task, rungs: Sequence[Rung], seed: int) -> Peer:
    from peer_synetune import SyneTune
    from syne_tune.optimizer import baselines

    return Peer(SyneTune(getattr(baselines, name), task.space, rungs, seed), rungs)
