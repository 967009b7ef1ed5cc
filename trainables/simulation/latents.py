"""The latents of a simulated galaxy, that is the physical properties, and how they are drawn.

The functions draw from the random generator `rng`, whose state changes. Lengths are in half-widths
of the image (32 pixels). In the image x grows to the right and y downwards. Angles are in radians
unless the name says degrees, and turn from the x axis towards the y axis. The distributions are
chosen to resemble Kaggle's cut-outs, whose size on the sky scales with the size of the galaxy.
"""

from dataclasses import dataclass

import numpy as np

from trainables.decision_tree import QUESTIONS

ODD_FEATURES: tuple[str, ...] = next(q.answers for q in QUESTIONS if q.name == "odd feature")
NUM_ARMS = (1, 2, 3, 4, 6)  # 6 stands for the answer "more"
NUM_ARMS_SHARE = (0.06, 0.58, 0.15, 0.07, 0.14)
BODY_SHARE = (0.38, 0.60, 0.02)  # spheroid, disk, star
EDGE_ON_COSINE = 0.22  # a disk with a smaller cosine of the inclination is drawn edge-on

# Fraction of the galaxies that get each odd feature, by body; all other galaxies have none.
SPHEROID_ODD_SHARE = {
    "lens or arc": 0.012,
    "disturbed": 0.03,
    "irregular": 0.02,
    "other": 0.05,
    "merger": 0.07,
}
DISK_ODD_SHARE = {
    "ring": 0.07,
    "lens or arc": 0.005,
    "disturbed": 0.04,
    "irregular": 0.07,
    "other": 0.04,
    "merger": 0.05,
}
EDGE_ON_ODD_SHARE = {"disturbed": 0.04, "other": 0.05, "merger": 0.05, "dust lane": 0.05}


@dataclass(frozen=True)
class Spheroid:
    """A smooth galaxy with a Sersic profile and one axis ratio.

    effective_radius: radius of half of the light along the long axis, in half-widths of the image.
    sersic_index: index n of the profile. axis_ratio: short axis divided by long axis, above 0 and
    at most 1.
    """

    effective_radius: float
    sersic_index: float
    axis_ratio: float


@dataclass(frozen=True)
class Disk:
    """A disk galaxy at some inclination, with arms, a bar and the shape of the bulge.

    scale_length: exponential scale length, in half-widths of the image. cos_inclination: cosine of
    the inclination, 0 (edge-on) to 1 (face-on). thickness: axis ratio of the disk seen exactly
    edge-on. bulge_radius: effective radius of the bulge, in scale lengths. bulge_index: Sersic
    index of the bulge. boxy_bulge: True if the bulge is boxy when seen edge-on.
    bar_strength, arm_strength: 0 for no bar or no arms, up to 1 for the strongest.
    bar_length: half the length of the bar, in scale lengths. bar_angle: angle of the bar to the
    long axis of the disk, in the plane of the disk. num_arms: one of NUM_ARMS, also in a disk
    without arms. pitch_degrees: pitch angle of the arms, in degrees. winding: the sense in which
    the arms turn, +1 if an arm's angle grows with the radius, -1 if the angle falls. arm_phase:
    angle of the first arm at one scale length, in the plane of the disk. flocculence: 0 for smooth
    arms to 1 for patchy arms.
    """

    scale_length: float
    cos_inclination: float
    thickness: float
    bulge_radius: float
    bulge_index: float
    boxy_bulge: bool
    bar_strength: float
    bar_length: float
    bar_angle: float
    arm_strength: float
    num_arms: int
    pitch_degrees: float
    winding: int
    arm_phase: float
    flocculence: float

    @property
    def edge_on(self) -> bool:
        """True if the disk is drawn edge-on, that is if cos_inclination < EDGE_ON_COSINE."""
        return self.cos_inclination < EDGE_ON_COSINE

    @property
    def axis_ratio(self) -> float:
        """The disk's short axis divided by its long axis on the sky, above 0 and at most 1.

        The axis ratio is that of an oblate spheroid (Hubble 1926).
        """
        cos2 = self.cos_inclination**2
        return float(np.sqrt(cos2 * (1 - self.thickness**2) + self.thickness**2))


@dataclass(frozen=True)
class Star:
    """A bright star, or the trail of a satellite, in place of a galaxy.

    trail: True for a trail across the image, False for a star with diffraction spikes.
    """

    trail: bool


Body = Spheroid | Disk | Star


@dataclass(frozen=True)
class Latents:
    """A set of all properties of one galaxy that decide what volunteers see, apart from noise.

    body: the spheroid, disk or star. bulge_fraction: fraction of the light in the bulge, 0..1; 1
    for a spheroid and for a star. position_angle: angle of the long axis, or of a trail, to the x
    axis of the image. centre: (x, y) of the galaxy, in half-widths of the image from the middle.
    log_brightness: natural logarithm of the brightness relative to a typical galaxy. seeing: full
    width at half maximum of the blur, in pixels of the final image. youth: colour, from 0 (red and
    old) to 1 (blue and young); a star's colour is drawn elsewhere. odd: one of ODD_FEATURES, or
    None.
    """

    body: Body
    bulge_fraction: float
    position_angle: float
    centre: tuple[float, float]
    log_brightness: float
    seeing: float
    youth: float
    odd: str | None


def draw_latents(rng: np.random.Generator) -> Latents:
    """Return the latents of one galaxy, or in 2 % of all draws of a star, drawn from `rng`."""
    kind = rng.choice(3, p=BODY_SHARE)
    body = (draw_spheroid, draw_disk, draw_star)[kind](rng)
    return Latents(
        body=body,
        bulge_fraction=float(rng.beta(1.9, 5.0)) if isinstance(body, Disk) else 1.0,
        position_angle=rng.uniform(0, np.pi),
        centre=(rng.normal(0, 0.012), rng.normal(0, 0.012)),
        log_brightness=rng.normal(0, 0.45),
        seeing=float(np.clip(rng.normal(2.3, 0.5), 1.3, 3.9)),
        youth=float(rng.beta(2.5, 2.5)),
        odd=draw_odd_feature(body, rng),
    )


def draw_spheroid(rng: np.random.Generator) -> Spheroid:
    """Return a smooth galaxy, from round to cigar-shaped, drawn from `rng`."""
    return Spheroid(
        effective_radius=float(np.exp(rng.normal(-1.00, 0.25))),
        sersic_index=rng.uniform(1.0, 3.5),
        axis_ratio=float(np.clip(1 - rng.beta(1.5, 3.4), 0.25, 1.0)),
    )


def draw_disk(rng: np.random.Generator) -> Disk:
    """Return a disk at a random inclination, drawn from `rng`.

    40 % of the disks have a bar and 76 % have arms.
    """
    return Disk(
        scale_length=float(np.exp(rng.normal(-1.42, 0.20))),
        cos_inclination=rng.uniform(0, 1),
        thickness=rng.uniform(0.14, 0.28),
        bulge_radius=rng.uniform(0.25, 0.55),
        bulge_index=rng.uniform(1, 3.5),
        boxy_bulge=bool(rng.random() < 0.25),
        bar_strength=float((rng.random() < 0.40) * rng.beta(2, 2)),
        bar_length=rng.uniform(0.9, 1.8),
        bar_angle=rng.uniform(0, np.pi),
        arm_strength=float((rng.random() < 0.76) * rng.beta(2.2, 1.6)),
        num_arms=int(rng.choice(NUM_ARMS, p=NUM_ARMS_SHARE)),
        pitch_degrees=float(np.clip(rng.normal(18, 8), 8, 42)),
        winding=int(rng.choice((-1, 1))),
        arm_phase=rng.uniform(0, 2 * np.pi),
        flocculence=float(rng.beta(1.2, 3.0)),
    )


def draw_star(rng: np.random.Generator) -> Star:
    """Return a star drawn from `rng`; half of all draws are trails of satellites."""
    return Star(trail=bool(rng.random() < 0.5))


def draw_odd_feature(body: Body, rng: np.random.Generator) -> str | None:
    """Return an odd feature that `body` can have, or None, drawn from `rng`.

    The feature is one of ODD_FEATURES and has the share that the tables above give. The result is
    None for most galaxies and for every star.
    """
    if isinstance(body, Star):
        return None
    share = SPHEROID_ODD_SHARE
    if isinstance(body, Disk):
        share = EDGE_ON_ODD_SHARE if body.edge_on else DISK_ODD_SHARE
    level, reached = rng.random(), 0.0
    for feature, probability in share.items():
        reached += probability
        if level < reached:
            return feature
    return None
