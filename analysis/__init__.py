"""Figures and the report; what they show is computed in `mfbo.evidence`.

::

    chart.py                what a figure is before it is drawn: numbers, axes and words
    figures/                from runs to charts
    kinds.py                all figures by name, for ``mfbo plot`` and the page
    matplotlib_renderer.py  charts in print
    plotly_renderer.py      charts in the page
    style.py                size, fonts, a colour for each optimizer, the file they end in
    report/                 ``mfbo report``: a page for the browser, Markdown, CSV
"""
