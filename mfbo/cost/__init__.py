"""What a run may cost, what it has cost, and what its next trial will cost."""
