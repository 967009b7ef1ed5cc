"""Where a galaxy's light is: maps [128, 128] of spheroids, disks, arms, bars and rings.

The grid spans -1..1 (half-widths of the image) at twice the final resolution.
"""

from functools import cache
from math import radians, tan

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.special import ive, k1

from trainables.simulation.latents import Disk, Spheroid

Map = NDArray[np.float32]

GRID_SIZE = 128
_AXIS = ((np.arange(GRID_SIZE) + 0.5) / GRID_SIZE * 2 - 1).astype(np.float32)
X, Y = np.meshgrid(_AXIS, _AXIS)
SOFTENING = 0.008  # half a grid step: keeps a Sersic cusp finite

ARM_SHARPNESS = 2.2  # concentration of the von Mises profile across an arm
MEAN_CREST = float(ive(0, ARM_SHARPNESS))  # of that profile over a turn
ARM_CONTRAST = 1.1  # of the strongest arms
ARMS_BEGIN, ARMS_END = 0.75, 4.2  # in scale lengths
RING_RADIUS, RING_WIDTH = 2.1, 0.22  # in scale lengths
EDGE_ON_LENGTH = 0.8  # scale lengths: seen from the side a disk fills more of its cut-out
BAR_LIGHT = 1.5  # surface brightness of the strongest bar, in units of the disk's centre


def rotated(x: Map, y: Map, angle: float) -> tuple[Map, Map]:
    """Coordinates in axes turned by `angle`."""
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return cos * x + sin * y, cos * y - sin * x


def normalised(light: Map) -> Map:
    """The map scaled to a total of 1."""
    return light / light.sum()


def blob(x: float, y: float, width: float) -> Map:
    """A round Gaussian spot of total 1 at (x, y)."""
    return normalised(np.exp(((X - x) ** 2 + (Y - y) ** 2) * (-0.5 / width**2)))


def sersic(radius2: Map, effective_radius: float, index: float) -> Map:
    """Sersic profile of total 1, from squared radii; b_n by Ciotti & Bertin 1999, eq. 18."""
    b = 2 * index - 1 / 3 + 4 / (405 * index)
    scaled = (radius2 + SOFTENING**2) / effective_radius**2
    return normalised(np.exp(-b * scaled ** (0.5 / index)))


def smooth_field(rng: np.random.Generator, num_waves: float) -> Map:
    """A Gaussian random field of unit variance with about `num_waves` waves across the map."""
    white = fft.rfft2(rng.standard_normal((GRID_SIZE, GRID_SIZE), dtype=np.float32))
    field = fft.irfft2(white * np.exp(_waves_squared() * (-1 / num_waves**2)))
    return field / field.std()


@cache
def _waves_squared() -> Map:
    waves = np.fft.fftfreq(GRID_SIZE, 1 / GRID_SIZE)
    half = np.fft.rfftfreq(GRID_SIZE, 1 / GRID_SIZE)
    return (waves[:, None] ** 2 + half[None] ** 2).astype(np.float32)


def spheroid_light(body: Spheroid, x: Map, y: Map) -> Map:
    """Light of a smooth galaxy whose long axis is x."""
    radius2 = x**2 + (y / body.axis_ratio) ** 2
    return sersic(radius2, body.effective_radius, body.sersic_index)


def bulge_light(body: Disk, x: Map, y: Map) -> Map:
    """Light of a disk's bulge; seen edge-on it is flattened, and may be boxy."""
    if not body.edge_on:
        radius2 = x**2 + (y / max(body.axis_ratio, 0.7)) ** 2  # a bulge is rounder than its disk
    elif body.boxy_bulge:
        radius2 = np.sqrt(x**4 + (y / 0.75) ** 4)
    else:
        radius2 = x**2 + (y / 0.75) ** 2
    return sersic(radius2, body.bulge_radius * body.scale_length, body.bulge_index)


@cache
def _edge_on_table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    radius = np.linspace(1e-3, 20, 1000)
    return radius, radius * k1(radius)


def edge_on_light(body: Disk, x: Map, y: Map, *, dust_lane: bool) -> tuple[Map, Map]:
    """Old and young light of a disk from the side (van der Kruit & Searle 1981)."""
    length = EDGE_ON_LENGTH * body.scale_length
    height = length * (1.3 * body.thickness + 0.6 * body.cos_inclination)
    along = np.interp(np.abs(x) / length, *_edge_on_table()).astype(np.float32)
    decay = np.exp(-2 * np.abs(y) / height)
    light = along * 4 * decay / (1 + decay) ** 2  # sech^2, without cosh's overflow
    young = along * decay**2  # young stars lie closer to the plane
    if dust_lane:
        lane = np.exp(-0.5 * (y / (0.4 * height)) ** 2) * (np.abs(x) < 3 * length)
        light, young = light * (1 - 0.9 * lane), young * (1 - 0.9 * lane)
    return normalised(light), normalised(young)


def arm_modulation(body: Disk, radius: Map, angle: Map, patches: Map | float) -> Map:
    """Factor by which logarithmic spiral arms change the disk's light; 1 on average."""
    length = body.scale_length
    turn = body.winding / tan(radians(body.pitch_degrees))
    phase = body.num_arms * (angle - turn * np.log(radius / length) - body.arm_phase)
    crest = np.exp(ARM_SHARPNESS * (np.cos(phase) - 1)) / MEAN_CREST - 1
    begin = 1 / (1 + np.exp((ARMS_BEGIN * length - radius) / (0.15 * length)))
    within = begin * np.exp(-((radius / (ARMS_END * length)) ** 4))
    return np.maximum(1 + ARM_CONTRAST * body.arm_strength * within * crest * patches, 0.05)


def face_on_light(
    body: Disk, x: Map, y: Map, rng: np.random.Generator, *, ring: bool
) -> tuple[Map, Map]:
    """Old and young light of an inclined disk: exponential, with arms, bar and ring."""
    length = body.scale_length
    y = y / body.axis_ratio  # back into the plane of the disk
    radius = np.sqrt(x**2 + y**2) + 1e-4
    base = np.exp(-radius / length)
    light, young = base, 0.25 * base
    if body.arm_strength > 0:
        patches = 1 + body.flocculence * np.clip(smooth_field(rng, 9), -1.2, 2.5)
        factor = arm_modulation(body, radius, np.arctan2(y, x), patches)
        light, young = base * factor, young + base * np.maximum(factor - 0.8, 0)
    if body.bar_strength > 0:
        light = light + BAR_LIGHT * body.bar_strength * bar_light(body, x, y)
    if ring:
        band = np.exp(-0.5 * ((radius / length - RING_RADIUS) / RING_WIDTH) ** 2)
        light, young = light + 0.4 * band, young + 0.4 * band
    return normalised(light), normalised(young)


def bar_light(body: Disk, x: Map, y: Map) -> Map:
    """A flat-topped bar with boxy ends and axis ratio .27, in the plane of the disk."""
    along, across = rotated(x, y, body.bar_angle)
    half_length = body.bar_length * body.scale_length
    return np.exp(-((along / half_length) ** 4) - np.abs(across / (0.27 * half_length)) ** 3)
