"""Tasks that look results up: recorded or modelled learning curves, on a virtual clock."""
