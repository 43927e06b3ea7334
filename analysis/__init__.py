"""Figures and the report; what they show is computed in `mfbo.curves`, `mfbo.statistics` and `mfbo.comparison`.

::

    style.py    what all figures share: size, fonts, a colour for each optimizer, the file they end in
    runs.py     figures of runs: anytime performance
    report/     ``mfbo report``: a page for the browser, Markdown, CSV
"""
