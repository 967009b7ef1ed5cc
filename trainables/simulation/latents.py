"""What a simulated galaxy is: its physical latents, and how they are drawn.

Lengths are in half-widths of the image (32 pixels), angles in radians unless named otherwise.
The distributions are chosen to resemble Kaggle's cut-outs, which scale with the galaxy's size.
"""

from dataclasses import dataclass

import numpy as np

from trainables.decision_tree import QUESTIONS

ODD_FEATURES: tuple[str, ...] = next(q.answers for q in QUESTIONS if q.name == "odd feature")
NUM_ARMS = (1, 2, 3, 4, 6)  # 6 stands for "more"
NUM_ARMS_SHARE = (0.06, 0.58, 0.15, 0.07, 0.14)
BODY_SHARE = (0.38, 0.60, 0.02)  # spheroid, disk, star
EDGE_ON_COSINE = 0.22  # a disk flatter on the sky than this is drawn from the side

# How often each odd feature is drawn, by body; the rest of the galaxies have none.
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
    """A smooth galaxy: a Sersic profile of one axis ratio."""

    effective_radius: float
    sersic_index: float
    axis_ratio: float


@dataclass(frozen=True)
class Disk:
    """A disk galaxy seen at some inclination, with its arms, its bar and its bulge's shape.

    A strength of 0 means that there is no bar, or are no arms; 1 is as strong as they come.
    """

    scale_length: float
    cos_inclination: float
    thickness: float  # axis ratio seen exactly edge-on
    bulge_radius: float
    bulge_index: float
    boxy_bulge: bool
    bar_strength: float
    bar_length: float
    bar_angle: float
    arm_strength: float
    num_arms: int
    pitch_degrees: float
    winding: int  # +1 or -1: the sense in which the arms turn
    arm_phase: float
    flocculence: float  # 0: smooth arms, 1: torn to patches

    @property
    def edge_on(self) -> bool:
        """Whether the disk is drawn from the side."""
        return self.cos_inclination < EDGE_ON_COSINE

    @property
    def axis_ratio(self) -> float:
        """Axis ratio on the sky of an oblate disk (Hubble 1926)."""
        cos2 = self.cos_inclination**2
        return float(np.sqrt(cos2 * (1 - self.thickness**2) + self.thickness**2))


@dataclass(frozen=True)
class Star:
    """No galaxy at all: a bright star with diffraction spikes, or a satellite's trail."""

    trail: bool


Body = Spheroid | Disk | Star


@dataclass(frozen=True)
class Latents:
    """All that determines what volunteers see of one galaxy, noise apart."""

    body: Body
    bulge_fraction: float  # of the light; 1 for a spheroid
    position_angle: float
    centre: tuple[float, float]
    log_brightness: float  # natural logarithm, relative to a typical galaxy
    seeing: float  # full width at half maximum of the blur, in pixels of the final image
    youth: float  # colour: 0 red and old, 1 blue and young
    odd: str | None


def draw_latents(rng: np.random.Generator) -> Latents:
    """Draw one galaxy, or now and then a star in its place."""
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
    """Draw a smooth galaxy, from round to cigar-shaped."""
    return Spheroid(
        effective_radius=float(np.exp(rng.normal(-1.00, 0.25))),
        sersic_index=rng.uniform(1.0, 3.5),
        axis_ratio=float(np.clip(1 - rng.beta(1.5, 3.4), 0.25, 1.0)),
    )


def draw_disk(rng: np.random.Generator) -> Disk:
    """Draw a disk at a random inclination: about four in ten barred, three in four with arms."""
    return Disk(
        scale_length=float(np.exp(rng.normal(-1.42, 0.20))),
        cos_inclination=rng.uniform(0, 1),
        thickness=rng.uniform(0.14, 0.28),
        bulge_radius=rng.uniform(0.25, 0.55),  # in scale lengths, as is the bar's length
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
    """Draw a star, half of them trailed."""
    return Star(trail=bool(rng.random() < 0.5))


def draw_odd_feature(body: Body, rng: np.random.Generator) -> str | None:
    """Draw one of ODD_FEATURES that the body can have, or none."""
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
