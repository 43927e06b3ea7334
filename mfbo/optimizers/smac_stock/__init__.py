"""`smac-stock` and `hyperband`: SMAC's multi-fidelity facade, mended where ask and tell need it."""
