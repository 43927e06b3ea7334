"""Tasks whose optimum is known, on a virtual clock."""
