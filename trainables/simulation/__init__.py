"""Simulated galaxies with volunteers' votes: latents, images, answers down the tree."""

from trainables.simulation.galaxies import SimulatedGalaxies, simulate_galaxies

__all__ = ["SimulatedGalaxies", "simulate_galaxies"]
