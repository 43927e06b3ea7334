"""The figures, by name: what ``mfbo plot`` draws, and where the page shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mfbo.errors import NothingToShow, UnknownName

if TYPE_CHECKING:
    from mfbo.analysis.chart import Chart
    from mfbo.analysis.report.material import Material


@dataclass(frozen=True)
class Kind:
    """A kind of figure.

    Attributes:
        shows: in a line.
        prepared_by: module and function of `mfbo.analysis.figures`, imported when it is drawn.
        section: of the page, in which it stands; figures ``over tasks`` stand above the tasks where there are several.
    """

    shows: str
    prepared_by: str
    section: Literal["cost", "over tasks", "rungs", "hyperparameters", "front"]


KINDS = {
    "anytime": Kind("quality against cost", "compared.anytime", "cost"),
    "quality": Kind("cost to what random search had in the end, a mark a run", "compared.cost_to_quality", "cost"),
    "ranks": Kind("average ranks against cost, over tasks or seeds", "ranks.ranks", "over tasks"),
    "regret": Kind("normalised regret against cost, over tasks and seeds", "ranks.regret", "over tasks"),
    "critical": Kind("final ranks, and which differ significantly", "ranks.critical", "over tasks"),
    "correlation": Kind("do cheap trials predict full ones", "rungs.correlation", "rungs"),
    "learning": Kind("learning curves", "rungs.learning", "rungs"),
    "importance": Kind("which hyperparameters matter", "tried.importance", "hyperparameters"),
    "scatter": Kind("loss against each hyperparameter", "tried.scatter", "hyperparameters"),
    "pareto": Kind("loss against other objectives, and the front", "pareto.pareto", "front"),
}


def prepared(kind: str, material: Material) -> Chart:
    """The figure's numbers.

    Raises:
        NothingToShow: there is nothing that such a figure could show.
    """
    module, _, function = KINDS[kind].prepared_by.partition(".")
    chart: Chart = getattr(import_module(f"mfbo.analysis.figures.{module}"), function)(material)
    return chart


def draw(kind: str, places: Sequence[Path | str], output: Path) -> None:
    """Draw one figure of runs and studies.

    Args:
        kind: one of `KINDS`.
        places: folders.
        output: a .png, .svg or .pdf file.

    Raises:
        UnknownName: no such kind.
        BadValue: another suffix, a place that cannot be written, or nothing that such a figure could show.
        RunError: as `mfbo.evidence.comparison.compare`.
    """
    from mfbo.analysis import style
    from mfbo.analysis.report.material import gather, runs_in

    if kind not in KINDS:
        raise UnknownName("kind of figure", kind, KINDS)
    style.checked(output)
    if kind == "anytime":  # says which run cannot be drawn, where the others leave it out
        from mfbo.analysis.figures.compared import anytime_chart
        from mfbo.evidence.comparison import compare

        comparison = compare([folder for place in places for folder in runs_in(Path(place))])
        _save(anytime_chart(comparison), [group.name for group in comparison.groups], output)
        return
    material = gather(places)
    _save(prepared(kind, material), material.groups, output)


def save_all(material: Material, output: Path) -> list[Path]:
    """Every figure that shows something, as ``NAME-KIND.png`` beside `output`; which these are."""
    made = []
    for kind in KINDS:
        path = output.with_name(f"{output.stem}-{kind}.png")
        try:
            _save(prepared(kind, material), material.groups, path)
        except NothingToShow:
            continue
        made.append(path)
    return made


def _save(chart: Chart, groups: Sequence[str], output: Path) -> None:
    from mfbo.analysis import style
    from mfbo.analysis.matplotlib_renderer import figure_of

    with style.drawing():
        style.save(figure_of(chart, style.looks_of(groups)), output)
