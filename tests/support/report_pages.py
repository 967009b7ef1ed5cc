"""A report page filled with all that a page can hold, hostile names included."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from analysis.report.page import Column, Picture, Section, Table, write_report_page

HOSTILE = "</title><script>alert('1')</script><img src=https://example.org/x.png onerror=alert(2)>"
COLUMNS = (
    Column("Trial", help="Number of the trial in its study."),
    Column("Architecture"),
    Column("Epochs", "number", help="Epochs trained."),
    Column("Validation RMSE", "number", digits=4, help="Over all N x 37 values."),
)
RMSE = [0.1, 0.0985, None, 1.5, 0.2, 12.0, 0.0985]
LEADERS = Table(
    "Leaders",
    "The marked row is the published config.",
    COLUMNS,
    [(f"t{i}", f"cnn_{i % 3}", 100 - 9 * i, value) for i, value in enumerate(RMSE)],
    marked={1},
)
LONG = Table(
    "All trials",
    "Every trial of the study, failed ones included, with the reason of their end.",
    (*COLUMNS, Column("Learning rate", "number"), Column("Reason")),
    [
        (
            f"{i:05}",
            ("parallel_cnn", "vision_transformer")[i % 2],
            i,
            0.1 + i / 1e4,
            10**-i,
            HOSTILE,
        )
        for i in range(16)
    ],
)


def full_page(folder: Path) -> Path:
    """A page with two tables and two pictures, one with a PDF beside it; returns its path."""
    noise = np.random.default_rng(0).integers(0, 255, (300, 1440, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "wide one.png")
    Image.fromarray(noise[:90, :120]).save(folder / "small.png", dpi=(64, 64))
    (folder / "wide one.pdf").write_bytes(b"%PDF-1.4")
    wide = Picture(HOSTILE, HOSTILE, HOSTILE, folder / "wide one.png", folder / "wide one.pdf")
    small = Picture("Small", "", 'alt with "quotes"', folder / "small.png", Path("/elsewhere.pdf"))
    return write_report_page(
        folder / "report.html",
        title=HOSTILE,
        facts={"data": "galaxies.npz", "commit": "9283460" * 6, "study": HOSTILE},
        summary=["The best trial reached 0.0985.", HOSTILE],
        sections=[
            Section("Leaderboard", ["A paragraph."], [LEADERS, replace(LONG, caption=HOSTILE)]),
            Section(HOSTILE, [HOSTILE, "Two."], [], [wide, small]),
        ],
    )
