"""Tasks made of what people have already: an estimator, a Trainer, a Lightning module, a command line."""
