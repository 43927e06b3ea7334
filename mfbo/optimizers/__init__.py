"""Optimizers: `ask` for a trial, `tell` what became of it. No clocks, files or workers in here."""
