"""Which results of a run keep to its constraints, and what to say where none does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mfbo.constraints import feasible, violation

if TYPE_CHECKING:
    from mfbo.ledger.run import Result, Run


def infeasible(run: Run) -> list[Result]:
    """Results with a loss that break a constraint of the run, in their order."""
    kept = run.header.search.constraints
    whole = [result for result in run.results if result.outcome.status == "ok"] if kept else []
    return [result for result in whole if not feasible(result.outcome, kept)]


def out_of_memory(run: Run) -> int:
    """How many trials needed more memory than there is: infeasible on this machine, whatever else they keep to."""
    return sum(result.outcome.status == "memory" for result in run.results)


def feasible_words(run: Run) -> str:
    """The constraints, and how many results break them; empty where there are none, and memory was enough."""
    kept, count = run.header.search.constraints, out_of_memory(run)
    if not kept:
        return f"memory: {count} of {len(run.results)} trials infeasible, out of memory" if count else ""
    whole = sum(result.outcome.status == "ok" for result in run.results)
    memory = f", {count} more out of memory" if count else ""
    return f"{', '.join(one.text for one in kept)}: {len(infeasible(run))} of {whole} results infeasible{memory}"


def none_feasible(run: Run) -> str:
    """What to say where there are results, and none is feasible; empty elsewhere."""
    kept, broken = run.header.search.constraints, infeasible(run)
    if not broken or any(result.outcome.status == "ok" and feasible(result.outcome, kept) for result in run.results):
        return ""
    off = [(found, result) for result in broken if (found := violation(result.outcome, kept)) is not None]
    text = f"no result of {len(broken)} keeps to {', '.join(one.text for one in kept)}"
    if not off:
        return text
    _, near = min(off, key=lambda one: one[0])
    said = ", ".join(f"{one.metric}={one.value(near.outcome):.4g}" for one in kept)
    return f"{text}; the nearest is trial {near.trial.id} with {said}; loosen the constraint or widen the space"
