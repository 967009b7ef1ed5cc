"""The light profiles of galaxies: maps [128, 128] of spheroids, disks, arms, bars and rings.

A map covers the image at twice the final resolution. The coordinates X and Y are maps of the
grid points' positions in half-widths of the image, -1..1; X grows to the right and Y downwards.
Lengths have the same unit. A total is the sum over all values of a map.
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
SOFTENING = 0.008  # half a grid step: keeps the centre of a Sersic profile finite

ARM_SHARPNESS = 2.2  # concentration of the von Mises profile across an arm
MEAN_CREST = float(ive(0, ARM_SHARPNESS))  # mean of the von Mises profile over a full turn
ARM_CONTRAST = 1.1  # contrast of the strongest arms
ARMS_BEGIN, ARMS_END = 0.75, 4.2  # in scale lengths
RING_RADIUS, RING_WIDTH = 2.1, 0.22  # in scale lengths
EDGE_ON_LENGTH = 0.8  # factor on the scale length: an edge-on disk fills more of its cut-out
BAR_LIGHT = 1.5  # surface brightness of the strongest bar, relative to the centre of the disk


def rotated(x: Map, y: Map, angle: float) -> tuple[Map, Map]:
    """Return the coordinates of the points (x, y) in axes that are turned by `angle` radians.

    A positive angle turns the x axis towards the y axis. x, y: arrays of one shape, which the two
    results have as well.
    """
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return cos * x + sin * y, cos * y - sin * x


def normalised(light: Map) -> Map:
    """Return the map `light` scaled to a total of 1, as a new map; the total must not be 0."""
    return light / light.sum()


def blob(x: float, y: float, width: float) -> Map:
    """Return a map [128, 128] of a round Gaussian spot of total 1 at (x, y).

    x, y: from the middle of the image. width: standard deviation. All three are in half-widths of
    the image.
    """
    return normalised(np.exp(((X - x) ** 2 + (Y - y) ** 2) * (-0.5 / width**2)))


def sersic(radius2: Map, effective_radius: float, index: float) -> Map:
    """Return a map of a Sersic profile of total 1, with b_n by Ciotti & Bertin 1999, eq. 18.

    radius2: map of the squared radius. effective_radius: radius of half of the light of the whole
    profile, in the unit of the radius. index: the Sersic index n. The centre is softened, and the
    total is 1 within the map, though a profile reaches beyond the map.
    """
    b = 2 * index - 1 / 3 + 4 / (405 * index)
    scaled = (radius2 + SOFTENING**2) / effective_radius**2
    return normalised(np.exp(-b * scaled ** (0.5 / index)))


def smooth_field(rng: np.random.Generator, num_waves: float) -> Map:
    """Return a Gaussian random field [128, 128] with a variance of 1 and a mean of about 0.

    rng: random generator. num_waves: about how many waves the field has across the map; the mean
    differs more from 0 if there are few. The field continues at the opposite edge.
    """
    white = fft.rfft2(rng.standard_normal((GRID_SIZE, GRID_SIZE), dtype=np.float32))
    field = fft.irfft2(white * np.exp(_waves_squared() * (-1 / num_waves**2)))
    return field / field.std()


@cache
def _waves_squared() -> Map:
    """Return the squared wave number [128, 65] of each entry of a map's real Fourier transform.

    The wave number is the number of waves across the map. The array is kept for later calls and
    must not be changed.
    """
    waves = np.fft.fftfreq(GRID_SIZE, 1 / GRID_SIZE)
    half = np.fft.rfftfreq(GRID_SIZE, 1 / GRID_SIZE)
    return (waves[:, None] ** 2 + half[None] ** 2).astype(np.float32)


def spheroid_light(body: Spheroid, x: Map, y: Map) -> Map:
    """Return the light map [128, 128] of the smooth galaxy `body`, with a total of 1.

    x, y: maps of the coordinates from the galaxy's centre, x along the long axis.
    """
    radius2 = x**2 + (y / body.axis_ratio) ** 2
    return sersic(radius2, body.effective_radius, body.sersic_index)


def bulge_light(body: Disk, x: Map, y: Map) -> Map:
    """Return the light map [128, 128] of the bulge of the disk `body`, with a total of 1.

    The bulge of an edge-on disk has an axis ratio of 0.75 and is boxy if `boxy_bulge` is True. Any
    other bulge has the axis ratio of the disk, but at least 0.7. x, y: maps of the coordinates
    from the galaxy's centre, x along the long axis of the disk.
    """
    if not body.edge_on:
        radius2 = x**2 + (y / max(body.axis_ratio, 0.7)) ** 2  # a bulge is rounder than the disk
    elif body.boxy_bulge:
        radius2 = np.sqrt(x**4 + (y / 0.75) ** 4)
    else:
        radius2 = x**2 + (y / 0.75) ** 2
    return sersic(radius2, body.bulge_radius * body.scale_length, body.bulge_index)


@cache
def _edge_on_table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return radii [1000] and the brightness [1000] along an edge-on disk at each radius.

    The radii are in scale lengths of the disk, from 0.001 to 20; the brightness has an arbitrary
    unit. The arrays are kept for later calls and must not be changed.
    """
    radius = np.linspace(1e-3, 20, 1000)
    return radius, radius * k1(radius)


def edge_on_light(body: Disk, x: Map, y: Map, *, dust_lane: bool) -> tuple[Map, Map]:
    """Return the maps of old and young light of the edge-on disk `body`, each [128, 128].

    The profile is that of van der Kruit & Searle 1981, without bulge, arms and bar. Each map has a
    total of 1. x, y: maps of the coordinates from the galaxy's centre, x along the disk.
    dust_lane: True to darken the plane of the disk.
    """
    length = EDGE_ON_LENGTH * body.scale_length
    height = length * (1.3 * body.thickness + 0.6 * body.cos_inclination)
    along = np.interp(np.abs(x) / length, *_edge_on_table()).astype(np.float32)
    decay = np.exp(-2 * np.abs(y) / height)
    light = along * 4 * decay / (1 + decay) ** 2  # sech^2 without cosh, which overflows
    young = along * decay**2  # young stars lie closer to the plane
    if dust_lane:
        lane = np.exp(-0.5 * (y / (0.4 * height)) ** 2) * (np.abs(x) < 3 * length)
        light, young = light * (1 - 0.9 * lane), young * (1 - 0.9 * lane)
    return normalised(light), normalised(young)


def arm_modulation(body: Disk, radius: Map, angle: Map, patches: Map | float) -> Map:
    """Return a map of the factor by which the spiral arms of `body` change the disk's light.

    The arms are logarithmic spirals. The factor is about 1 on average over a turn, and at least
    0.05. radius, angle: maps of the polar coordinates in the plane of the disk; the radius is
    above 0, in half-widths of the image, and the angle in radians. patches: factor on the contrast
    of the arms, a map or a number.
    """
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
    """Return the maps of old and young light of the disk `body`, each [128, 128].

    The disk is exponential, without bulge; `body` must not be edge-on. Each map has a total of 1
    and shows the disk's arms; the old light alone shows the bar. x, y: maps of the coordinates
    from the galaxy's centre, x along the long axis, on the sky. rng: random generator of the
    patches in the arms, which is used only if there are arms. ring: True to add a ring to both
    maps.
    """
    length = body.scale_length
    y = y / body.axis_ratio  # from the sky into the plane of the disk
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
    """Return the light map of the bar of `body`: flat top, boxy ends and an axis ratio of 0.27.

    The centre of the bar has the value 1, whatever `bar_strength` is. x, y: maps of the
    coordinates from the galaxy's centre in the plane of the disk, x along the long axis of the
    disk.
    """
    along, across = rotated(x, y, body.bar_angle)
    half_length = body.bar_length * body.scale_length
    return np.exp(-((along / half_length) ** 4) - np.abs(across / (0.27 * half_length)) ** 3)
