"""Many runs: comparisons of optimizers, and the three phases of a study."""
