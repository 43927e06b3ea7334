"""``mfbo report``: what runs and studies show, as one HTML page, Markdown or CSV.

::

    material.py       the runs as read, task by task, and what they show
    words.py          what is said in sentences
    tables.py         trials, rungs and failures as rows
    plots.py          figures that compare optimizers, for plotly
    plots_trials.py   figures of trials and hyperparameters
    sections.py       the parts of the HTML page
    page.py           the page: one file, its data and its security policy; page.css and page.js are its own
    texts.py          Markdown and CSV
    serve.py          the page of a run that goes on, on this machine alone
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mfbo.errors import BadValue

FORMATS = {"html": ".html", "md": ".md", "csv": ".csv"}


def write(places: Sequence[Path | str], output: Path | None = None, form: str | None = None) -> Path:
    """Write a report.

    Args:
        places: folders of runs or studies.
        output: the file; in the folder of the first run or study, named ``report``, if None.
        form: one of `FORMATS`; by the suffix of `output` if None, else HTML.

    Returns:
        The file.

    Raises:
        BadValue: no such format, a place that cannot be written, or as `mfbo.analysis.report.material.gather`.
        MfboError: runs that cannot be read.
    """
    form = form or _form(output)
    if form not in FORMATS:
        raise BadValue(f"format {form!r}: give {', '.join(FORMATS)}")
    from mfbo.analysis.report.material import gather

    target = output or Path(places[0]) / f"report{FORMATS[form]}"
    material = gather(places)
    if form == "html":
        from mfbo.analysis.report.page import page as written
    elif form == "md":
        from mfbo.analysis.report.texts import markdown as written
    else:
        from mfbo.analysis.report.texts import trials_csv as written
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(written(material), encoding="utf-8")
    except OSError as error:
        raise BadValue(f"cannot write report {str(target)!r}: {error.strerror}; give another --output") from error
    return target


def _form(output: Path | None) -> str:
    suffix = output.suffix.lower() if output else ""
    return next((form for form, known in FORMATS.items() if known == suffix), "html")
