from .galaxies import simulate_galaxies as simulate_galaxies
