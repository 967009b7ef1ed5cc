"""Latents to image: the galaxy, its odd feature, whatever else is in the field."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trainables.simulation import light_profiles as light
from trainables.simulation.camera import photograph
from trainables.simulation.latents import Disk, Latents, Spheroid, Star, draw_disk, draw_spheroid
from trainables.simulation.light_profiles import GRID_SIZE, Map, X, Y

NUM_FIELD_STARS = 2.2  # mean number in an image
FIELD_STAR_LOG10_FLUX = (-2.7, -1.3)  # of the galaxy's light
FIELD_MARGIN = 6  # grid steps without stars: their blur would reappear at the far side
FIELD_GALAXY_SHARE = 0.35  # images with a small galaxy in the background


def render(latents: Latents, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw the image [64, 64, 3] of one galaxy."""
    if isinstance(latents.body, Star):
        old, young = star_light(latents.body, latents, rng)
    else:
        old, young = galaxy_light(latents, rng)
        old, young = with_odd_feature(old, young, latents.odd, rng)
    add_field(old, young, rng)
    return photograph(
        old, young, log_brightness=latents.log_brightness, seeing=latents.seeing, rng=rng
    )


def galaxy_light(latents: Latents, rng: np.random.Generator) -> tuple[Map, Map]:
    """Old and young light of the galaxy alone; together their total is 1."""
    body, (x0, y0) = latents.body, latents.centre
    x, y = light.rotated(X - np.float32(x0), Y - np.float32(y0), latents.position_angle)
    if isinstance(body, Spheroid):
        share = 0.45 * latents.youth**2  # few smooth galaxies are blue
        smooth = light.spheroid_light(body, x, y)
        return (1 - share) * smooth, share * smooth
    if not isinstance(body, Disk):
        raise ValueError(f"a {type(body).__name__.lower()} is not a galaxy")
    if body.edge_on:
        disk, young = light.edge_on_light(body, x, y, dust_lane=latents.odd == "dust lane")
    else:
        disk, young = light.face_on_light(body, x, y, rng, ring=latents.odd == "ring")
    bulge = light.bulge_light(body, x, y)
    in_bulge, in_young = latents.bulge_fraction, 0.2 + 0.6 * latents.youth
    old = in_bulge * bulge + (1 - in_bulge) * (1 - in_young) * disk
    return old, (1 - in_bulge) * in_young * young


def star_light(body: Star, latents: Latents, rng: np.random.Generator) -> tuple[Map, Map]:
    """A bright star with diffraction spikes, or a trail across the image."""
    x, y = light.rotated(X, Y, latents.position_angle)
    if body.trail:
        core = 0.4 * light.blob(*latents.centre, 0.02)
        shape = core + 1.2 * light.normalised(np.exp(-0.5 * (y / 0.02) ** 2))
    else:
        x, y = X - latents.centre[0], Y - latents.centre[1]
        spikes = np.exp(-((x / 0.015) ** 2) - np.abs(y) / 0.2)
        spikes = spikes + np.exp(-((y / 0.015) ** 2) - np.abs(x) / 0.2)
        shape = 0.9 * light.blob(*latents.centre, 0.02) + 0.3 * light.normalised(spikes)
    blue = np.float32(rng.uniform(0, 1))
    return (1 - blue) * shape, blue * shape


def with_odd_feature(
    old: Map, young: Map, odd: str | None, rng: np.random.Generator
) -> tuple[Map, Map]:
    """Add what makes a galaxy odd; rings and dust lanes are drawn with the disk itself."""
    if odd == "lens or arc":
        young = young + 0.12 * arc(rng, radius=rng.uniform(0.3, 0.42), width=0.025, lag=0.0)
    elif odd == "disturbed":
        old, young = with_tail(*lopsided(old, young, rng), rng)
    elif odd == "irregular":
        old, young = irregular(old, young, rng)
    elif odd == "other":
        old = old + 0.08 * light.blob(rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.3), 0.03)
        young = young + 0.06 * light.blob(rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.3), 0.03)
    elif odd == "merger":
        more_old, more_young = companion(rng)
        old, young = with_tail(old + more_old, young + more_young, rng)
    return old, young


def arc(rng: np.random.Generator, *, radius: float, width: float, lag: float) -> Map:
    """A piece of a circle about the centre, total 1; `lag` opens it to a spiral tail."""
    distance = np.sqrt(X**2 + Y**2)
    turned = np.arctan2(Y, X) - rng.uniform(0, 2 * np.pi) - lag * (distance - radius)
    off = np.mod(turned + np.pi, 2 * np.pi) - np.pi
    return light.normalised(
        np.exp(-0.5 * ((distance - radius) / width) ** 2 - 0.5 * (off / 0.55) ** 2)
    )


def with_tail(old: Map, young: Map, rng: np.random.Generator) -> tuple[Map, Map]:
    """Add a tidal tail with a sixth of the galaxy's light."""
    tail = arc(
        rng,
        radius=rng.uniform(0.38, 0.55),
        width=0.08,
        lag=2.5 * (1 if rng.random() < 0.5 else -1),
    )
    return old + 0.10 * tail, young + 0.06 * tail


def lopsided(old: Map, young: Map, rng: np.random.Generator) -> tuple[Map, Map]:
    """Brighten one side of the galaxy and dim the other."""
    side, _ = light.rotated(X, Y, rng.uniform(0, 2 * np.pi))
    weight = np.clip(1 + 2.2 * side, 0.2, 2.2)
    return old * weight, young * weight


def irregular(old: Map, young: Map, rng: np.random.Generator) -> tuple[Map, Map]:
    """Break the galaxy into blue clumps, keeping its total light."""
    total = old.sum() + young.sum()
    shift = rng.integers(-9, 10, size=2)  # grid steps: the old stars no longer share a centre
    clumps = np.exp(1.1 * light.smooth_field(rng, 6))
    mixed = 0.35 * old + 0.25 * np.roll(old, shift, axis=(0, 1))
    young = (young + 0.5 * old) * clumps
    scale = total / (mixed.sum() + young.sum())
    return mixed * scale, young * scale


def companion(rng: np.random.Generator) -> tuple[Map, Map]:
    """Old and young light of a second galaxy that the first one is merging with."""
    angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 0.5)
    body: Disk | Spheroid = draw_disk(rng) if rng.random() < 0.5 else draw_spheroid(rng)
    if isinstance(body, Disk):
        body = replace(body, scale_length=0.7 * body.scale_length)
    else:
        body = replace(body, effective_radius=0.6 * body.effective_radius)
    second = Latents(
        body=body,
        bulge_fraction=0.2,
        position_angle=rng.uniform(0, np.pi),
        centre=(distance * np.cos(angle), distance * np.sin(angle)),
        log_brightness=0.0,
        seeing=0.0,
        youth=rng.uniform(0, 1),
        odd=None,
    )
    old, young = galaxy_light(second, rng)
    weight = np.float32(rng.uniform(0.3, 0.8))
    return weight * old, weight * young


def add_field(old: Map, young: Map, rng: np.random.Generator) -> None:
    """Add, in place, foreground stars and perhaps a small background galaxy."""
    for _ in range(rng.poisson(NUM_FIELD_STARS)):
        row, column = rng.integers(FIELD_MARGIN, GRID_SIZE - FIELD_MARGIN, size=2)
        flux = 10 ** rng.uniform(*FIELD_STAR_LOG10_FLUX)
        (old if rng.random() < 0.75 else young)[row, column] += flux
    if rng.random() < FIELD_GALAXY_SHARE:
        angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.6, 0.86)
        spot = light.blob(distance * np.cos(angle), distance * np.sin(angle), 0.045)
        old += spot * np.float32(rng.uniform(0.02, 0.12))
