"""`smac`, the default: our parts in SMAC's multi-fidelity facade, which learn from every rung at once."""
