"""Galaxies and their votes: files, splits, building from Kaggle's download."""
