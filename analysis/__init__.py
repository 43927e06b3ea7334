"""Figures and the report; what they show is computed in `mfbo.evidence`.

::

    style.py     what all figures share: size, fonts, a colour for each optimizer, the file they end in
    runs.py      anytime performance
    compared.py  cost to quality, ranks, critical difference, rung correlation
    tried.py     learning curves, loss against each hyperparameter, importance
    kinds.py     all of these by name, for ``mfbo plot``
    report/      ``mfbo report``: a page for the browser, Markdown, CSV
"""
