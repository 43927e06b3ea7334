"""What a report is made of: runs as read, task by task, and what they show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mfbo.display.text import clean
from mfbo.engine.validate import kept
from mfbo.errors import BadValue, MfboError, RunNotFound
from mfbo.evidence import importance, payoff, ranking
from mfbo.evidence.comparison import check_metrics, side_by_side, sort_out
from mfbo.evidence.curves import incumbent, standing
from mfbo.evidence.rung_correlation import rung_correlations
from mfbo.evidence.summary import summarize
from mfbo.goal import Goal
from mfbo.ledger.journal import FILE, read
from mfbo.study.folder import COMPARISON, described_in, folders, missing
from mfbo.study.phases_result import EXPLORE, OPTIMIZE
from mfbo.study.phases_result import kept as kept_phases

if TYPE_CHECKING:
    from mfbo.engine.validate import Validation
    from mfbo.evidence.importance import Importances
    from mfbo.evidence.payoff import Payoff
    from mfbo.evidence.ranking import Ranking, Regrets
    from mfbo.evidence.rung_correlation import RungCorrelation
    from mfbo.evidence.summary import Evidence
    from mfbo.ledger.run import Result, Run
    from mfbo.study.phases_result import Phases
    from mfbo.study.spec import Entry


@dataclass(frozen=True)
class Part:
    """The runs of one task.

    Attributes:
        task: its name, as the ledgers have it.
        runs: all that have begun.
        left_out: runs that no comparison counts, and why.
        found: what the others show; None where there is none, or they cannot be compared.
        problem: why not; empty if there is none.
        payoff: whether multi-fidelity paid off; None as for `found`.
        awaited: whether runs of its study are still to begin.
    """

    task: str
    runs: tuple[Run, ...]
    left_out: tuple[tuple[Run, str], ...]
    found: Evidence | None
    problem: str
    payoff: Payoff | None
    awaited: bool = False

    @property
    def single(self) -> bool:
        """Whether it is one run, and not the first of a study."""
        return len(self.runs) == 1 and not self.awaited

    @property
    def name(self) -> str:
        """Of the task; of one in a file, not where that lies."""
        return clean(self.task.replace("\\", "/").rpartition("/")[2], 60)

    @property
    def goal(self) -> Goal:
        """The metric of the runs, and whether it is maximised."""
        return self.found.comparison.goal if self.found else self.runs[0].header.goal

    @property
    def label(self) -> str:
        """What is measured, in words: ``validation loss``, or the metric's name."""
        return clean(self.goal.label, 40)

    @property
    def results_called(self) -> str:
        """What the numbers are, several of them."""
        return "losses" if self.goal == Goal() else "results"

    @property
    def best(self) -> tuple[Run, Result] | None:
        """The best incumbent of all runs: highest rung first, then lowest loss."""
        found = [(run, best) for run in self.runs if (best := incumbent(run))]
        return min(found, key=lambda one: standing(*one), default=None)

    @cached_property
    def importances(self) -> Importances | None:
        """Of the hyperparameters; None where the trials are too few, or of several spaces."""
        left_out = {id(run) for run, _ in self.left_out}
        fit = [run for run in self.runs if id(run) not in left_out]
        return importance.importances(fit) if not self.problem else None

    def rung_correlations(self, group: str) -> list[RungCorrelation]:
        """How well each rung predicts the highest, for the runs of a group of `groups`."""
        return self._rung_correlations[group]

    @cached_property
    def _rung_correlations(self) -> dict[str, list[RungCorrelation]]:
        return {group: rung_correlations(*runs) for group, runs in self.groups.items()}

    @property
    def validation(self) -> Validation | None:
        """Of the best configuration on the test split, if it was done."""
        return kept(self.best[0], self.best[1].trial.config) if self.best else None

    @property
    def groups(self) -> dict[str, list[Run]]:
        """Runs by the name under which figures show them: as they were compared, else by optimizer."""
        compared = self.found.comparison.groups if self.found else ()
        named = {group.name: list(group.runs) for group in compared}
        known = {id(run) for runs in named.values() for run in runs}
        for run in self.runs:
            if id(run) not in known:
                named.setdefault(run.header.optimizer, []).append(run)
        return named

    @property
    def results(self) -> list[tuple[Run, Result]]:
        """Every result, with its run."""
        return [(run, result) for run in self.runs for result in run.results]


@dataclass(frozen=True)
class Material:
    """All of a report.

    Attributes:
        parts: one a task.
        ranking: of the optimizers over all of them; None where it would say nothing.
        regrets: of the optimizers over all of them; None as for `ranking`.
        study: folder of the study; None for runs.
        missing: runs of the studies that are not there, and why; empty for those that are still to begin.
        phases: the result of a study's three phases; None where these are no such runs.
    """

    parts: tuple[Part, ...]
    ranking: Ranking | None
    regrets: Regrets | None
    study: Path | None
    missing: tuple[tuple[Entry, str], ...]
    phases: Phases | None = None

    @property
    def single(self) -> Run | None:
        """The run, where there is one only, and no other is to come."""
        return self.parts[0].runs[0] if len(self.parts) == 1 and self.parts[0].single else None

    @property
    def groups(self) -> list[str]:
        """Names of the groups of all tasks."""
        return list(dict.fromkeys(name for part in self.parts for name in part.groups))

    def of(self, part: Part) -> Material:
        """What is known of one task alone; ranks and regrets only where it is the only task."""
        return self if len(self.parts) == 1 else Material((part,), None, None, None, ())

    @property
    def awaited(self) -> list[Entry]:
        """Runs of the studies that are still to begin."""
        return [entry for entry, reason in self.missing if not reason]


def gather(places: Sequence[Path | str], *, live: bool = False) -> Material:
    """Read runs and studies.

    Args:
        places: folders of runs, or of studies.
        live: whether runs without a result are welcome, as they go on.

    Raises:
        BadValue: a folder that is neither run nor study, or holds no result; a run given twice.
        RunError: a run that cannot be read; runs of one task that are after different metrics.
    """
    found = [folder for place in places for folder in runs_in(Path(place), live=live)]
    if twice := [folder for folder in found if found.count(folder) > 1]:
        raise BadValue(f"run {str(twice[0])!r} is given twice; give it once")
    runs = [read(folder) for folder in found]
    if not live and not any(run.results for run in runs):
        where = repr(str(places[0]))
        raise BadValue(f"{where} has no result yet; let it go on with `mfbo resume`, or look at it with --watch")
    by_task: dict[str, list[Run]] = {}
    for run in runs:
        by_task.setdefault(run.header.task, []).append(run)
    absent = [pair for place in places if described_in(place).is_file() for pair in missing(place)]
    parts = tuple(_part(task, those, any(not reason for _, reason in absent)) for task, those in by_task.items())
    compared = [part.found for part in parts if part.found]
    study = Path(places[0]) if len(places) == 1 and described_in(places[0]).is_file() else None
    phases = kept_phases(places[0]) if len(places) == 1 else None
    ranks, regrets = (ranking.ranking(compared), ranking.regrets(compared)) if compared else (None, None)
    return Material(parts, ranks, regrets, study, tuple(absent), phases)


def runs_in(place: Path, *, live: bool = False) -> list[Path]:
    """The run in `place`, or the runs of the study there.

    Args:
        place: a folder.
        live: whether a study is welcome of which nothing was run, as it goes on.

    Raises:
        BadValue: a study of which nothing was run, or one that cannot be read.
        RunNotFound: neither.
    """
    if place.name == FILE and place.is_file():
        return [place.parent]
    if (place / FILE).is_file():
        return [place]
    if (place / EXPLORE / FILE).is_file():  # the three phases; exploration is in another space, and stands alone
        optimized = sorted(ledger.parent for ledger in (place / OPTIMIZE).glob(f"*/{FILE}"))
        return optimized or [place / EXPLORE]
    if not described_in(place).is_file():
        raise RunNotFound(
            f"no run or comparison in {str(place)!r}: it has neither {FILE} nor {COMPARISON}; give one that has"
        )
    found = folders(place)
    if not (found or live):
        raise BadValue(f"study {str(place)!r} has no run yet; `mfbo compare` begins it")
    return found


def _part(task: str, runs: list[Run], awaited: bool) -> Part:
    check_metrics(runs)
    fit, left_out = sort_out(runs)
    found, problem = None, ""
    try:
        found = summarize(side_by_side(fit)) if fit else None
    except MfboError as error:
        problem = str(error)
    judged = payoff.payoff(found) if found else None
    return Part(task, tuple(runs), tuple(left_out), found, problem, judged, awaited)
