"""Galaxies, the decision tree, the loss, the architectures and the training loop."""
