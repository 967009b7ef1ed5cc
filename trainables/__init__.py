"""The code that trains: galaxies, decision tree, networks, losses and the training loop."""
