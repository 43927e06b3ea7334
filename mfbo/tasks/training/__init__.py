"""What the PyTorch tasks share: the training loop, batches, devices, setup and state."""
