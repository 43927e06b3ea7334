"""What each figure shows: from runs to a `mfbo.analysis.chart.Chart`.

A figure is a function that takes the `Material` of one task (or of all, for ranks) and raises `NothingToShow` where
there is nothing. To add one: write it here, add its line to `mfbo.analysis.kinds.KINDS`, and test it.

::

    compared.py  quality against cost, cost to quality
    ranks.py     average ranks, normalised regret, critical difference
    rungs.py     do cheap trials predict full ones, learning curves
    tried.py     loss against each hyperparameter, importance
    pareto.py    the Pareto front
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mfbo.errors import NothingToShow

if TYPE_CHECKING:
    from mfbo.analysis.report.material import Material, Part


def only(material: Material) -> Part:
    """The one task.

    Raises:
        NothingToShow: there are several.
    """
    if len(material.parts) > 1:
        names = ", ".join(part.name for part in material.parts)
        raise NothingToShow(
            f"runs of {len(material.parts)} tasks ({names}) do not fit into one such figure; give those of one"
        )
    return material.parts[0]
