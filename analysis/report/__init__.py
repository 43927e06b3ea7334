"""``mfbo report``: what runs and studies show, as one HTML page, Markdown or CSV.

::

    material.py       the runs as read, task by task, and what they show
    words.py          what is said in sentences
    repeat.py         the command that repeats it
    tables.py         trials, rungs and failures as rows
    cells.py          what stands in the cells of the other tables
    plots.py          figures that compare optimizers, for plotly
    plots_trials.py   figures of trials and hyperparameters
    page.py           the page: one file, its data and its security policy; page.css and page.js are its own
    sections.py       what stands above and below the tasks in it
    details.py        the sections of one task
    texts.py          Markdown and CSV
    serve.py          the page of a running run, on this machine alone
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mfbo.errors import BadValue

if TYPE_CHECKING:
    from mfbo.analysis.report.material import Material

FORMATS = {"html": ".html", "md": ".md", "csv": ".csv"}
_FIGURES = {"html": "figures in the page", "csv": "none"}


def write(
    places: Sequence[Path | str], output: Path | None = None, form: str | None = None, *, figures: bool = False
) -> Path:
    """Write a report.

    Args:
        places: folders of runs or studies.
        output: the file; in the folder of the first run or study, named ``report``, if None.
        form: one of `FORMATS`; by the suffix of `output` if None, else HTML.
        figures: whether Markdown shows figures, as PNG files beside it.

    Returns:
        The file.

    Raises:
        BadValue: no such format, a place that cannot be written, or as `mfbo.analysis.report.material.gather`.
        MfboError: runs that cannot be read.
    """
    form = form or _form(output)
    if form not in FORMATS:
        raise BadValue(f"format {form!r}: give {', '.join(FORMATS)}")
    if figures and form != "md":
        raise BadValue(f"figures are files beside a report in md; in {form} there are {_FIGURES[form]}")
    from mfbo.analysis.report.material import gather

    target = output or Path(places[0]) / f"report{FORMATS[form]}"
    material = gather(places)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_written(form, material, target, figures=figures), encoding="utf-8")
    except OSError as error:
        raise BadValue(f"cannot write report {str(target)!r}: {error.strerror}; give another --out") from error
    return target


def _written(form: str, material: Material, target: Path, *, figures: bool) -> str:
    content: str
    if form == "html":
        from mfbo.analysis.report.page import page

        content = page(material)
    elif form == "csv":
        from mfbo.analysis.report.texts import trials_csv

        content = trials_csv(material)
    else:
        from mfbo.analysis.kinds import save_all
        from mfbo.analysis.report.texts import markdown

        content = markdown(material, [path.name for path in save_all(material, target)] if figures else ())
    return content


def _form(output: Path | None) -> str:
    suffix = output.suffix.lower() if output else ""
    return next((form for form, known in FORMATS.items() if known == suffix), "html")
