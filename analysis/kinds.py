"""The figures that ``mfbo plot`` draws, by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mfbo.errors import NothingToShow, UnknownName

if TYPE_CHECKING:
    from mfbo.analysis.report.material import Material

KINDS = {
    "anytime": "quality against cost",
    "quality": "cost to what random search had in the end, a mark a run",
    "ranks": "average ranks against cost, over tasks or seeds",
    "critical": "final ranks, and which do not differ",
    "correlation": "what low rungs foretell",
    "learning": "learning curves",
    "scatter": "loss against each hyperparameter",
    "importance": "which hyperparameters matter",
    "pareto": "loss against other objectives, and the front",
}


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
    from mfbo.analysis import runs, style
    from mfbo.analysis.report.material import gather, runs_in

    if kind not in KINDS:
        raise UnknownName("kind of figure", kind, KINDS)
    if kind == "anytime":
        runs.anytime([folder for place in places for folder in runs_in(Path(place))], output)
        return
    style.checked(output)
    save(kind, gather(places), output)


def save(kind: str, material: Material, output: Path) -> None:
    """The same of what was read already.

    Raises:
        BadValue: as `draw`.
    """
    from mfbo.analysis import compared, fronts, style, tried

    figures = {
        "anytime": compared.anytime,
        "quality": compared.quality,
        "ranks": compared.ranks,
        "critical": compared.critical,
        "correlation": compared.correlation,
        "learning": tried.learning,
        "scatter": tried.scatter,
        "importance": tried.importance,
        "pareto": fronts.pareto,
    }
    with style.drawing():
        style.save(figures[kind](material), output)


def save_all(material: Material, output: Path) -> list[Path]:
    """Every figure that shows something, as ``NAME-KIND.png`` beside `output`; which these are."""
    made = []
    for kind in KINDS:
        path = output.with_name(f"{output.stem}-{kind}.png")
        try:
            save(kind, material, path)
        except NothingToShow:
            continue
        made.append(path)
    return made
