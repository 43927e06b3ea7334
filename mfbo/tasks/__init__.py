"""The tasks that come with mfbo; each module is imported only when its task is used."""

from __future__ import annotations

from typing import NamedTuple


class Builtin(NamedTuple):
    """Where a built-in task is (``module:attribute``, a `Task` or a function that returns one), and one line on it."""

    where: str
    description: str


# OpenML task ids of the tables of LCBench that YAHPO Gym's surrogate knows
# fmt: off
LCBENCH = (
    "3945", "7593", "34539", "126025", "126026", "126029", "146212", "167104", "167149", "167152", "167161",
    "167168", "167181", "167184", "167185", "167190", "167200", "167201", "168329", "168330", "168331", "168335",
    "168868", "168908", "168910", "189354", "189862", "189865", "189866", "189873", "189905", "189906", "189908",
    "189909",
)
# fmt: on

BUILTIN: dict[str, Builtin] = {
    "digits": Builtin("mfbo.tasks.digits:task", "scikit-learn's 1,797 handwritten digits, an MLP (real data, offline)"),
    "cifar10": Builtin("mfbo.tasks.cifar10:task", "CIFAR-10, ResNet-18 (real data; extra: vision)"),
    "agnews": Builtin("mfbo.tasks.agnews:task", "AG News, DistilBERT or another transformer (real data; extra: text)"),
    "imdb": Builtin("mfbo.tasks.imdb:task", "IMDb reviews, LSTM (real data; extra: text)"),
    "branin": Builtin("mfbo.tasks.synthetic:branin", "Branin in 2-D, its coefficients off at low fidelity (synthetic)"),
    "branin-joint": Builtin(
        "mfbo.tasks.synthetic:branin_joint", "Branin with two dimensions of fidelity, epochs and data (synthetic)"
    ),
    "forrester": Builtin(
        "mfbo.tasks.synthetic:forrester", "Forrester in 1-D, a local minimum misleads at low fidelity (synthetic)"
    ),
    "counting-ones": Builtin(
        "mfbo.tasks.synthetic:counting_ones", "8 switches and 8 coins, noise falls with the samples (synthetic)"
    ),
    "mixed": Builtin(
        "mfbo.tasks.synthetic:mixed", "8 hyperparameters of every kind, crossing curves, noise, uneven cost (synthetic)"
    ),
    "hartmann3": Builtin("mfbo.tasks.synthetic:hartmann3", "Hartmann in 3-D, low fidelity is a good guide (synthetic)"),
    "hartmann3-good": Builtin(
        "mfbo.tasks.synthetic:hartmann3_good",
        "Hartmann in 3-D, mf-prior-bench's preset 'good': low fidelity is a fair guide (synthetic)",
    ),
    "hartmann3-moderate": Builtin(
        "mfbo.tasks.synthetic:hartmann3_moderate",
        "Hartmann in 3-D, mf-prior-bench's preset 'moderate': low fidelity is a weak guide (synthetic)",
    ),
    "hartmann3-bad": Builtin(
        "mfbo.tasks.synthetic:hartmann3_bad",
        "Hartmann in 3-D, mf-prior-bench's preset 'bad': low fidelity is nearly no guide (synthetic)",
    ),
    "hartmann3-terrible": Builtin(
        "mfbo.tasks.synthetic:hartmann3_terrible",
        "Hartmann in 3-D, mf-prior-bench's preset 'terrible': low fidelity misleads (synthetic)",
    ),
    "hartmann3-cost": Builtin(
        "mfbo.tasks.synthetic:hartmann3_cost", "Hartmann in 3-D, configurations differ 25-fold in cost (synthetic)"
    ),
    "hartmann6": Builtin("mfbo.tasks.synthetic:hartmann6", "Hartmann in 6-D, low fidelity is a good guide (synthetic)"),
    "hartmann6-good": Builtin(
        "mfbo.tasks.synthetic:hartmann6_good",
        "Hartmann in 6-D, mf-prior-bench's preset 'good': low fidelity is a fair guide (synthetic)",
    ),
    "hartmann6-moderate": Builtin(
        "mfbo.tasks.synthetic:hartmann6_moderate",
        "Hartmann in 6-D, mf-prior-bench's preset 'moderate': low fidelity is a weak guide (synthetic)",
    ),
    "hartmann6-bad": Builtin(
        "mfbo.tasks.synthetic:hartmann6_bad",
        "Hartmann in 6-D, mf-prior-bench's preset 'bad': low fidelity is nearly no guide (synthetic)",
    ),
    "hartmann6-terrible": Builtin(
        "mfbo.tasks.synthetic:hartmann6_terrible",
        "Hartmann in 6-D, mf-prior-bench's preset 'terrible': low fidelity misleads (synthetic)",
    ),
    "hartmann6-cost": Builtin(
        "mfbo.tasks.synthetic:hartmann6_cost", "Hartmann in 6-D, configurations differ 25-fold in cost (synthetic)"
    ),
    **{
        f"lcbench-{instance}": Builtin(
            f"mfbo.tasks.lcbench:task_{instance}",
            f"an MLP on OpenML task {instance}, learning curves by YAHPO's surrogate of LCBench (extra: lcbench)",
        )
        for instance in LCBENCH
    },
}
