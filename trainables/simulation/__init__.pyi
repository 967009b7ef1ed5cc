from .camera import IMAGE_SIZE as IMAGE_SIZE
from .galaxies import simulate_blocks as simulate_blocks
from .galaxies import simulate_galaxies as simulate_galaxies
