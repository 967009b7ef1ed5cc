"""The image of a galaxy from its latents: the galaxy, its odd feature, and the field around it.

The field is what else lies in the image: foreground stars and a background galaxy. Light maps
[128, 128] are in units of the galaxy's total light without odd feature and field. Lengths and
positions are in half-widths of the image. Chance is drawn from the random generator `rng`.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trainables.simulation import light_profiles as light
from trainables.simulation.camera import IMAGE_SIZE, photograph
from trainables.simulation.latents import Disk, Latents, Spheroid, Star, draw_disk, draw_spheroid
from trainables.simulation.light_profiles import GRID_SIZE, Map, X, Y

NUM_FIELD_STARS = 2.2  # mean number of stars in an image
FIELD_STAR_LOG10_FLUX = (-2.7, -1.3)  # range, relative to the galaxy's light
FIELD_MARGIN = 6  # grid steps without stars; a star's blur would reappear at the opposite edge
FIELD_GALAXY_SHARE = 0.35  # fraction of images with a small galaxy in the background


def render(
    latents: Latents, rng: np.random.Generator, *, side: int = IMAGE_SIZE
) -> NDArray[np.uint8]:
    """Return the image [side, side, 3] uint8 of one galaxy or star.

    The channels are red, green and blue. rng: random generator of all details that the latents
    leave open, such as the field and the noise. side: one of IMAGE_SIZES, in pixels.
    """
    if isinstance(latents.body, Star):
        old, young = star_light(latents.body, latents, rng)
    else:
        old, young = galaxy_light(latents, rng)
        old, young = with_odd_feature(old, young, latents.odd, rng)
    add_field(old, young, rng)
    return photograph(
        old,
        young,
        log_brightness=latents.log_brightness,
        seeing=latents.seeing,
        rng=rng,
        side=side,
    )


def galaxy_light(latents: Latents, rng: np.random.Generator) -> tuple[Map, Map]:
    """Return the maps [128, 128] of old and young light of a galaxy without its field.

    The two maps together have a total of 1. Of the odd features only two are drawn: a dust lane in
    an edge-on disk and a ring in any other disk. The body of `latents` must be a spheroid or a
    disk; a star raises ValueError. rng: random generator of the patches in the arms.
    """
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
    """Return the maps [128, 128] of old and young light of a star with spikes, or of a trail.

    The two maps together have a total of 1.2 for a star and 1.6 for a trail, in units of a
    galaxy's light. body: the star of `latents`, whose centre and position angle are used. rng:
    random generator of the colour.
    """
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
    """Return the maps [128, 128] of old and young light with an odd feature added.

    old, young: the maps before, which are not changed in place. odd: one of ODD_FEATURES, or None
    for no feature. "ring" and "dust lane" change nothing here, because `galaxy_light` draws rings
    and dust lanes with the disk. rng: random generator of the feature's shape. A map that does not
    change is returned itself, not as a copy. Most features change the total light.
    """
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
    """Return the map [128, 128] of an arc around the image's centre, with a total of 1.

    The direction from the centre in which the arc lies is drawn from `rng`. radius: distance of
    the arc from the centre. width: standard deviation across the arc. Both are in half-widths of
    the image. lag: radians by which the arc turns per half-width of distance; 0 gives a piece of a
    circle, other values give a piece of a spiral.
    """
    distance = np.sqrt(X**2 + Y**2)
    turned = np.arctan2(Y, X) - rng.uniform(0, 2 * np.pi) - lag * (distance - radius)
    off = np.mod(turned + np.pi, 2 * np.pi) - np.pi
    return light.normalised(
        np.exp(-0.5 * ((distance - radius) / width) ** 2 - 0.5 * (off / 0.55) ** 2)
    )


def with_tail(old: Map, young: Map, rng: np.random.Generator) -> tuple[Map, Map]:
    """Return the maps [128, 128] of old and young light with a tidal tail added.

    The tail adds a light of 0.16, in units of the light of the galaxy without odd feature, at a
    place drawn from `rng`. The maps `old` and `young` are not changed in place.
    """
    tail = arc(
        rng,
        radius=rng.uniform(0.38, 0.55),
        width=0.08,
        lag=2.5 * (1 if rng.random() < 0.5 else -1),
    )
    return old + 0.10 * tail, young + 0.06 * tail


def lopsided(old: Map, young: Map, rng: np.random.Generator) -> tuple[Map, Map]:
    """Return the maps [128, 128] of old and young light with one side brighter than the other.

    The direction is drawn from `rng`. The total light changes. The maps `old` and `young` are not
    changed in place.
    """
    side, _ = light.rotated(X, Y, rng.uniform(0, 2 * np.pi))
    weight = np.clip(1 + 2.2 * side, 0.2, 2.2)
    return old * weight, young * weight


def irregular(old: Map, young: Map, rng: np.random.Generator) -> tuple[Map, Map]:
    """Return the maps [128, 128] of old and young light broken into blue clumps.

    The clumps are drawn from `rng`. The total light of both maps together stays the same. The maps
    `old` and `young` are not changed in place.
    """
    total = old.sum() + young.sum()
    shift = rng.integers(-9, 10, size=2)  # grid steps: the old light loses its common centre
    clumps = np.exp(1.1 * light.smooth_field(rng, 6))
    mixed = 0.35 * old + 0.25 * np.roll(old, shift, axis=(0, 1))
    young = (young + 0.5 * old) * clumps
    scale = total / (mixed.sum() + young.sum())
    return mixed * scale, young * scale


def companion(rng: np.random.Generator) -> tuple[Map, Map]:
    """Return the maps [128, 128] of old and young light of a second galaxy for a merger.

    The second galaxy is drawn from `rng`. The second galaxy has 0.3 to 0.8 of the light of the
    first galaxy and lies 0.25 to 0.5 half-widths from the image's centre.
    """
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
    """Add foreground stars, and a small background galaxy in 35 % of all images, in place.

    old, young: maps [128, 128] of old and young light, which are changed and must be float32. rng:
    random generator of the number, places and brightness of the stars and of the galaxy.
    """
    for _ in range(rng.poisson(NUM_FIELD_STARS)):
        row, column = rng.integers(FIELD_MARGIN, GRID_SIZE - FIELD_MARGIN, size=2)
        flux = 10 ** rng.uniform(*FIELD_STAR_LOG10_FLUX)
        (old if rng.random() < 0.75 else young)[row, column] += flux
    if rng.random() < FIELD_GALAXY_SHARE:
        angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.6, 0.86)
        spot = light.blob(distance * np.cos(angle), distance * np.sin(angle), 0.045)
        old += spot * np.float32(rng.uniform(0.02, 0.12))
