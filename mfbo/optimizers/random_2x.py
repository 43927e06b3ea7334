"""`random-2x`: random search with twice the cost, the baseline that Li et al. 2018 (JMLR 18:185) compare with."""

from __future__ import annotations

from dataclasses import replace

from mfbo.optimizers import random_search

SPEC = replace(
    random_search.SPEC,
    name="random-2x",
    description="the same; where optimizers are compared, it is given twice the cost of the others",
    colour="#7F7F7F",
    marker="<",
    cost_share=2.0,
)
