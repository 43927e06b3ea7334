"""`mfbo.compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfbo.api.progress import in_notebook
from mfbo.api.settings import RunOptions, split_settings
from mfbo.display.runs import RunLines
from mfbo.search import Search
from mfbo.study.runner import extended, run_study
from mfbo.study.spec import OPTIMIZERS, SEEDS, Study, names_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Unpack

    from mfbo.engine.result import TuneResult
    from mfbo.settings import Settings


def compare(
    tasks: str | Sequence[str],
    max_cost: str,
    *,
    out: Path | str,
    optimizers: str | Sequence[str] = OPTIMIZERS,
    seeds: int = SEEDS,
    progress: bool = True,
    settings: Settings | None = None,
    search: Search | None = None,
    **asked: Unpack[RunOptions],
) -> list[TuneResult]:
    """Compare optimizers on tasks: each run within the same cost; what is there in `out` is part of it.

    >>> import tempfile
    >>> found = compare("branin", "2x", out=tempfile.mkdtemp(), optimizers="random,asha", seeds=1, progress=False)
    >>> [result.optimizer for result in found]
    ['random', 'asha']

    Args:
        tasks: names that `mfbo.tasks.registry.load` takes.
        max_cost: of each run, as for `mfbo.tune`.
        out: folder of the comparison.
        optimizers: names, or one text with commas between them.
        seeds: how many; they are 0, 1, ...
        progress: print a line for each run that has ended, on standard error but for notebooks.
        settings: how trials are run, in one object; None for the defaults.
        search: options of each search, but for optimizer, seed and objectives; None for the defaults.
        asked: fields of `mfbo.Search` and of `mfbo.Settings` as keywords, as for `mfbo.tune`.

    Returns:
        A result for each run, seed by seed.

    Raises:
        MfboError: as `run_study`.
    """
    values: dict[str, Any] = dict(asked)
    chosen = split_settings(compare, settings, values)
    names = (tasks,) if isinstance(tasks, str) else tuple(tasks)
    rules = names_of(optimizers if isinstance(optimizers, str) else ",".join(optimizers))
    study = Study(names, rules, seeds, max_cost, Search.of(search, **values), chosen)
    lines = RunLines(quiet=not progress, total=extended(study, out).size, err=not in_notebook())
    return run_study(study, out, observer_of=lines.observer_of, on_result=lines.on_result, on_failure=lines.on_failure)
