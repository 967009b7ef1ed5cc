"""The camera of the simulation: blur, pixels, noise and the colour stretch of SDSS images."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from trainables.simulation.light_profiles import GRID_SIZE, Map

IMAGE_SIZE = 64  # pixels; lengths and counts below are for pixels of this size
IMAGE_SIZES = (IMAGE_SIZE, GRID_SIZE)  # pixels; the sizes that can be rendered
OVERSAMPLING = GRID_SIZE // IMAGE_SIZE  # grid steps a pixel, along each axis
MOFFAT_BETA = 3.0  # gives the wings of a ground-based point-spread function
SEEING_STEP = 0.1  # pixels between the widths of the stored blur kernels

TYPICAL_FLUX = 40000.0  # counts of a galaxy with log_brightness 0
SKY_VARIANCE = 6.0  # counts^2 a pixel
STRETCH_SOFTENING = 0.035  # Lupton et al. 2004: linear below 1 / 0.035 counts, logarithmic above
STRETCH_WHITE = 750.0  # counts that are shown as full white
PEDESTAL = 0.013  # brightness of the empty sky, where 1 is full white
# Brightness of old and of young stars in red, green and blue, as in composites of the bands gri.
OLD_COLOUR = (1.22, 1.00, 0.68)
YOUNG_COLOUR = (0.86, 0.97, 1.08)


@cache
def _blur(step: int) -> NDArray[np.complex64]:
    """Return the real Fourier transform [128, 65] of a Moffat kernel with a total of 1.

    step: full width at half maximum of the kernel, in units of SEEING_STEP, at least 1. The array
    is kept for later calls and must not be changed.
    """
    width = step * SEEING_STEP * OVERSAMPLING
    core = width / (2 * np.sqrt(2 ** (1 / MOFFAT_BETA) - 1))
    offset = np.minimum(np.arange(GRID_SIZE), GRID_SIZE - np.arange(GRID_SIZE))
    kernel = (1 + (offset[:, None] ** 2 + offset[None] ** 2) / core**2) ** -MOFFAT_BETA
    return fft.rfft2(kernel / kernel.sum()).astype(np.complex64)


@cache
def _grain(step: int, side: int) -> Map:
    """Return a filter [side, side // 2 + 1] in Fourier space that gives noise the grain of a sky.

    The noise's real Fourier transform is multiplied by the filter. White noise of variance 1 has
    the variance 1 afterwards, once it is averaged over the area of one of 64 x 64 pixels. step:
    full width at half maximum of the blur, in units of SEEING_STEP. side: side of the picture, in
    pixels. The array is kept for later calls and must not be changed.
    """
    width = 0.3 * step * SEEING_STEP  # pixels: a cut-out that is enlarged more has coarser noise
    finer = side / IMAGE_SIZE
    rows, columns = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    gain = np.exp(-2 * (np.pi * width * finer) ** 2 * (rows**2 + columns**2))
    averaged = gain * _averaging(rows, finer) * _averaging(columns, finer)
    # rfft2 stores the inner columns once, but they count twice in the variance
    inner = np.r_[1.0, np.full(side // 2 - 1, 2.0), 1.0]
    return (gain / np.sqrt((averaged**2 * inner).sum() / side**2)).astype(np.float32)


def _averaging(waves: NDArray[np.floating], number: float) -> NDArray[np.floating]:
    """Return what the average over `number` neighbouring pixels leaves of each wave, in -1..1.

    waves: frequencies in waves per pixel, of any shape.
    """
    factor: NDArray[np.floating] = np.sinc(waves * number) / np.sinc(waves)
    return factor


def photograph(
    old: Map,
    young: Map,
    *,
    log_brightness: float,
    seeing: float,
    rng: np.random.Generator,
    side: int = IMAGE_SIZE,
) -> NDArray[np.uint8]:
    """Return the picture [side, side, 3] uint8 that a survey would take of a galaxy.

    The channels are red, green and blue; rows grow downwards. old, young: maps [128, 128] of the
    light of old and of young stars; a total of 1 in both maps together is the light of the galaxy.
    The maps are not changed. log_brightness: natural logarithm of the galaxy's light relative to
    TYPICAL_FLUX. seeing: full width at half maximum of the blur, in pixels of a picture of 64
    pixels, at least 0.1; it is rounded to 0.1. rng: random generator of the noise. side: one of
    IMAGE_SIZES. A larger picture shows the same sky with the same brightness and finer noise.
    """
    steps, finer = GRID_SIZE // side, side / IMAGE_SIZE
    step = round(seeing / SEEING_STEP)
    blurred = fft.irfft2(fft.rfft2(np.stack([old, young])) * _blur(step))
    pixels = blurred.reshape(2, side, steps, side, steps).sum(axis=(2, 4))
    # counts on the area of one of 64 x 64 pixels
    pixels = pixels * np.float32(TYPICAL_FLUX * np.exp(log_brightness) * finer**2)
    colours = np.array([OLD_COLOUR, YOUNG_COLOUR], dtype=np.float32)
    bands = np.tensordot(colours.T, pixels, axes=1)
    white = rng.standard_normal((3, side, side), dtype=np.float32)
    noise = fft.irfft2(fft.rfft2(white) * _grain(step, side))
    bands = bands + noise * np.sqrt(np.maximum(bands, 0) + SKY_VARIANCE)
    return stretched(bands).transpose(1, 2, 0)


def stretched(bands: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the bands [3, H, W], in counts, as pixels [3, H, W] uint8 by an asinh stretch.

    The bands are red, green and blue; the counts of the sky are taken off already, so noise may be
    negative. The stretch is that of Lupton et al. 2004, which keeps colours, with a pedestal for
    the sky. Counts outside the range of the stretch become 0 or 255.
    """
    mean = np.maximum(bands.mean(axis=0), 1e-3)
    top = np.arcsinh(STRETCH_SOFTENING * STRETCH_WHITE)
    brightness = np.arcsinh(STRETCH_SOFTENING * mean) / top
    picture = bands * (brightness / mean) + PEDESTAL
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8)
