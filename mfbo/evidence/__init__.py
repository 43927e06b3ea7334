"""What runs show: incumbents, curves, comparisons and their statistics."""
