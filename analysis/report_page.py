"""The report as one HTML file that opens from disk and asks nothing of any network.

Styles, script and pictures stand inside the file; a content security policy forbids the browser
every request. What the report says is given as tables, pictures and paragraphs.
"""

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from PIL import Image

from trainables.files import write_atomically

MISSING = "\N{EN DASH}"
_TEMPLATE = "report_page.html.j2"
_PIXELS_AN_INCH = 128  # letters of 7 points come out 12 CSS pixels high
_MOST_ROWS_AT_A_GLANCE = 15  # a longer table gets a box to filter its rows

Cell = str | float | int | None


@dataclass(frozen=True)
class Column:
    """One column of a table.

    digits: decimals of a number, thousands parted by commas; None shows a whole number as it is
    and any other with four significant digits. help: a sentence on what the column holds.
    """

    title: str
    kind: Literal["text", "number"] = "text"
    digits: int | None = None
    help: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells, None where there is none; `marked` holds row numbers, from 0, to highlight.

    The caption is the place to say what the marked rows are.
    """

    title: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    marked: frozenset[int] | set[int] = frozenset()

    def __post_init__(self) -> None:
        """ValueError if a row does not fit the columns, or a marked row is not there."""
        for number, row in enumerate(self.rows):
            place = f"table {self.title!r}, row {number}"
            if len(row) != len(self.columns):
                raise ValueError(f"{place}: {len(row)} cells for {len(self.columns)} columns")
            for column, value in zip(self.columns, row):
                if column.kind == "number" and not isinstance(value, Real | None):
                    raise ValueError(f"{place}: {column.title} must be a number, got {value!r}")
        absent = sorted(set(self.marked) - set(range(len(self.rows))))
        if absent:
            raise ValueError(f"table {self.title!r} has {len(self.rows)} rows, none is {absent}")

    @property
    def has_filter(self) -> bool:
        """Whether it is too long to be taken in at a glance."""
        return len(self.rows) > _MOST_ROWS_AT_A_GLANCE


@dataclass(frozen=True)
class Picture:
    """A PNG, put into the page itself; a PDF inside the page's folder is linked beside it.

    alt: what the picture shows, for readers who cannot see it.
    """

    title: str
    caption: str
    alt: str
    png: Path
    pdf: Path | None = None


@dataclass(frozen=True)
class Section:
    """A part of the report under a heading of its own: paragraphs, then tables, then pictures."""

    title: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()


@dataclass(frozen=True)
class EmbeddedPicture:
    """A picture as a data: URI with the size, in CSS pixels, that it has where there is room."""

    uri: str
    width: int
    height: int


def shown(value: Cell, column: Column) -> str:
    """A cell as it is printed."""
    if value is None:
        return MISSING
    if not isinstance(value, Real) or not math.isfinite(value):
        return str(value)
    if column.digits is not None:
        return f"{value:,.{column.digits}f}"
    return str(value) if isinstance(value, Integral) else f"{value:.4g}"


def embedded(png: Path) -> EmbeddedPicture:
    """The PNG as a data: URI; an error of PIL's if it is none.

    A PNG that says how large it is in inches is shown in proportion, so that letters of one size
    on paper are of one size on the page.
    """
    with Image.open(png, formats=["PNG"]) as image:
        dots_an_inch = image.info.get("dpi", (_PIXELS_AN_INCH, _PIXELS_AN_INCH))[0]
        width, height = (round(side * _PIXELS_AN_INCH / dots_an_inch) for side in image.size)
    encoded = base64.b64encode(png.read_bytes()).decode()
    return EmbeddedPicture(f"data:image/png;base64,{encoded}", width, height)


def relative_link(target: Path | None, folder: Path) -> str | None:
    """The address of a file as seen from the folder; None if there is none inside the folder."""
    if target is None or not target.resolve().is_relative_to(folder.resolve()):
        return None
    return quote(target.resolve().relative_to(folder.resolve()).as_posix())


def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"shown": shown, "embedded": embedded}
    return environment.get_template(_TEMPLATE)


def _script_hash(template: Template) -> str:
    """The page's script as its content security policy names it."""
    script = "".join(template.blocks["script"](template.new_context()))
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def write_report_page(
    out: Path,
    *,
    title: str,
    facts: Mapping[str, str],
    summary: Sequence[str],
    sections: Sequence[Section],
) -> Path:
    """Write the report to `out`, whole or not at all; returns `out`.

    facts: what the report rests on (data, galaxies, seed, versions, commit) by name. summary:
    sentences that say what was found.
    """
    template = _template()
    page = template.render(
        title=title,
        facts=facts,
        summary=summary,
        sections=sections,
        script_hash=_script_hash(template),
        link=lambda target: relative_link(target, out.parent),
    )
    write_atomically(out, lambda temporary: temporary.write_text(page, encoding="utf-8"))
    return out
