"""Families of tasks in the suite: what belongs together, how a name leads to a task, and the scale of its regret.

| family | tasks |
|---|---|
| lcbench | 34 instances, learning curves through YAHPO's surrogate |
| small | every sixth of these by id, so that nobody has chosen them |
| taskset | 6 tables of real learning curves, pool protocol |
| smooth | the same tables through extra-trees |
| xgboost | 8 instances, data fractions, conditions |
| recorded | the project's own tasks as learning curves, as far as `record.py` has recorded them |
| synthetic | Branin, Forrester, counting ones, mixed, and Hartmann as it is and with uneven costs |
| misleading | Hartmann with low fidelities that tell of other things, in four strengths, and with noise |

`task_of` makes a task for one run: those of the pool protocol hold what that run was given.
"""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import numpy as np
import suite_taskset
import suite_xgboost

from mfbo.errors import UnknownName
from mfbo.optimizers.sampling import random_configs
from mfbo.task import Task
from mfbo.tasks.registry import LCBENCH, load
from mfbo.tasks.synthetic.presets import PRESETS
from mfbo.tasks.tables import recorded

FAMILIES: dict[str, list[str]] = {
    "lcbench": [f"lcbench-{instance}" for instance in LCBENCH],
    "small": [f"lcbench-{instance}" for instance in LCBENCH[::6]],
    "taskset": [f"taskset-{table}" for table in suite_taskset.TABLES],
    "smooth": [f"smooth-{table}" for table in suite_taskset.TABLES],
    "xgboost": [f"xgboost-{instance}" for instance in suite_xgboost.REFERENCE],
    "recorded": [f"table-{name}" for name in recorded.complete()],
    "synthetic": [
        *("branin", "branin-joint", "forrester", "counting-ones", "mixed"),
        *(f"hartmann{dims}{suffix}" for dims in (3, 6) for suffix in ("", "-cost")),
    ],
    "misleading": [f"hartmann{dims}-{preset}" for dims in (3, 6) for preset in PRESETS if preset],
}
USUAL = "small,taskset,smooth,xgboost,synthetic,misleading,recorded"
MAKERS = {
    "taskset": suite_taskset.pool,
    "smooth": suite_taskset.smooth,
    "xgboost": suite_xgboost.task,
}
POOLS = {"taskset": lambda name: suite_taskset.rows_of(name).finals}
DRAWS = 2001


def chosen(families: str, tasks: str = "") -> dict[str, list[str]]:
    """Families by name, or one of the tasks that are named, as ``chosen``; names with commas.

    Raises:
        UnknownName: there is no such family.
    """
    if tasks:
        return {"chosen": tasks.split(",")}
    for name in families.split(","):
        if name not in FAMILIES:
            raise UnknownName("family", name, FAMILIES)
    return {name: FAMILIES[name] for name in families.split(",")}


def task_of(name: str) -> Task:
    """The task of that name, for one run."""
    family, _, rest = name.partition("-")
    return MAKERS[family](rest) if family in MAKERS else load(name)


def scale(folder: Path, name: str) -> tuple[float, float]:
    """(optimum, loss of the median random configuration at full fidelity, without noise); kept in `folder`.

    Of a pool it is the median row, as a draw takes a row away.
    """
    path = folder / "scales" / f"{name}.json"
    if not path.exists():
        task = task_of(name)
        family, _, rest = name.partition("-")
        if family in POOLS:
            losses = POOLS[family](rest).tolist()
        else:
            losses = [task.true_loss(config) for config in islice(random_configs(task.space, 12345), DRAWS)]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([float(task.optimum), float(np.median(losses))]))
    optimum, median = json.loads(path.read_text())
    return optimum, median
