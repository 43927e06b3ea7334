"""Figures and reports; all statistics are in `mfbo.curves`."""
