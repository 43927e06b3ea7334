"""Guides of one page each, printed by ``mfbo guide NAME``; the tests run every block of code in them."""

from __future__ import annotations

import re
from importlib.resources import files

from mfbo.errors import UnknownName

GUIDES = {
    "own-task": "tune your own training code: PyTorch, scikit-learn, Lightning, transformers",
    "commands": "tune a script in any language by its command line",
    "cost-and-budget": "what a cost is, what a budget buys, limits, money, plans",
    "comparing": "compare optimizers, narrow a space, a study in three phases",
    "reports-and-exports": "look at runs: report, figures, tables, other tools, the trained model",
    "python": "everything from Python",
    "fidelities": "what a cheap trial has less of: epochs, data, trees, folds, repeats; LightGBM and XGBoost",
    "cross-validation": "folds and repeats: several measurements of a configuration, and bad ones stop after the first",
    "constraints": "the best that is small, fast or good enough: --subject-to, and what is infeasible",
    "stopping": "end a run once what is left is not worth its price: --stop-when, and what more would gain",
    "own-loop": "ask and tell in a loop of your own, and observers that watch a run or stop it",
    "workers": "several trials at a time: processes, GPUs, a Dask cluster",
    "trust": "which code is executed and which never is, and what a run keeps",
    "glossary": "the terms in one line each",
    "architecture": "where things are in the code, and how to add to it",
    "reproduce": "the experiments behind every claim, with their commands",
}
"""Name: one line on it, in the order in which they are listed."""
_MARKERS = re.compile(r"^<!--.*?-->\n", re.MULTILINE | re.DOTALL)  # tell the tests what a block is


def text(name: str) -> str:
    """A guide in Markdown.

    Raises:
        UnknownName: there is none of that name.
    """
    if name not in GUIDES:
        raise UnknownName("guide", name, GUIDES)
    return _MARKERS.sub("", files("mfbo.guides").joinpath(f"{name}.md").read_text(encoding="utf-8")).rstrip()
