"""A run from its first ask to its result, and all that is done with one afterwards."""
