"""A figure written to its files and described for the report page."""

from pathlib import Path

from matplotlib.figure import Figure  # noqa: TID251  only its name, for the signature

from analysis.figures.style import save_figure
from analysis.report_page import Picture


def picture(
    figure: Figure, folder: Path, name: str, *, title: str, caption: str, alt: str = ""
) -> Picture:
    """Write NAME.png and NAME.pdf into `folder`; what a reader cannot see is told by `alt`."""
    png = save_figure(figure, folder, name)
    return Picture(title, caption, alt or f"{title}. {caption}", png, png.with_suffix(".pdf"))
