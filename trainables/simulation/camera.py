"""From light to picture: blur, pixels, noise and the colour stretch of the SDSS images."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from trainables.simulation.light_profiles import GRID_SIZE, Map

IMAGE_SIZE = 64
OVERSAMPLING = GRID_SIZE // IMAGE_SIZE
MOFFAT_BETA = 3.0  # wings of a ground-based point-spread function
SEEING_STEP = 0.1  # pixels: kernels are tabulated at this spacing

TYPICAL_FLUX = 40000.0  # counts of a galaxy of log_brightness 0
SKY_VARIANCE = 6.0  # counts^2 a pixel
STRETCH_SOFTENING = 0.035  # of Lupton et al. 2004: linear below 1 / this, logarithmic above
STRETCH_WHITE = 750.0  # counts that become full white
PEDESTAL = 0.013  # brightness of the empty sky
# Red, green and blue of old and of young stars, as gri composites show them.
OLD_COLOUR = (1.22, 1.00, 0.68)
YOUNG_COLOUR = (0.86, 0.97, 1.08)


@cache
def _blur(step: int) -> NDArray[np.complex64]:
    """Transform [128, 65] of a Moffat kernel whose width is `step` seeing steps."""
    width = step * SEEING_STEP * OVERSAMPLING
    core = width / (2 * np.sqrt(2 ** (1 / MOFFAT_BETA) - 1))
    offset = np.minimum(np.arange(GRID_SIZE), GRID_SIZE - np.arange(GRID_SIZE))
    kernel = (1 + (offset[:, None] ** 2 + offset[None] ** 2) / core**2) ** -MOFFAT_BETA
    return fft.rfft2(kernel / kernel.sum()).astype(np.complex64)


@cache
def _grain(step: int) -> Map:
    """Filter [64, 33] that makes white noise as coarse as resampled pixels, variance kept."""
    width = 0.3 * step * SEEING_STEP  # pixels: cut-outs enlarged more are blurred and coarser
    waves2 = np.fft.fftfreq(IMAGE_SIZE)[:, None] ** 2 + np.fft.rfftfreq(IMAGE_SIZE)[None] ** 2
    gain = np.exp(-2 * (np.pi * width) ** 2 * waves2)
    inner = np.r_[1.0, np.full(IMAGE_SIZE // 2 - 1, 2.0), 1.0]  # rfft2 holds these columns once
    return (gain / np.sqrt((gain**2 * inner).sum() / IMAGE_SIZE**2)).astype(np.float32)


def photograph(
    old: Map, young: Map, *, log_brightness: float, seeing: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Picture [64, 64, 3] of maps [128, 128] of old and young light, each in galaxies' totals."""
    step = round(seeing / SEEING_STEP)
    blurred = fft.irfft2(fft.rfft2(np.stack([old, young])) * _blur(step))
    pixels = blurred.reshape(2, IMAGE_SIZE, OVERSAMPLING, IMAGE_SIZE, OVERSAMPLING)
    pixels = pixels.sum(axis=(2, 4)) * np.float32(TYPICAL_FLUX * np.exp(log_brightness))
    colours = np.array([OLD_COLOUR, YOUNG_COLOUR], dtype=np.float32)
    bands = np.tensordot(colours.T, pixels, axes=1)
    white = rng.standard_normal((3, IMAGE_SIZE, IMAGE_SIZE), dtype=np.float32)
    noise = fft.irfft2(fft.rfft2(white) * _grain(step))
    bands = bands + noise * np.sqrt(np.maximum(bands, 0) + SKY_VARIANCE)
    return stretched(bands).transpose(1, 2, 0)


def stretched(bands: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Counts [3, H, W] to 0..255 by the colour-preserving asinh stretch (Lupton et al. 2004)."""
    mean = np.maximum(bands.mean(axis=0), 1e-3)
    top = np.arcsinh(STRETCH_SOFTENING * STRETCH_WHITE)
    brightness = np.arcsinh(STRETCH_SOFTENING * mean) / top
    picture = bands * (brightness / mean) + PEDESTAL
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8)
