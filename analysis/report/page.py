"""The report's page: one HTML file that opens from disk and needs no network.

Styles, script and pictures are inside the file. A content security policy forbids the browser
every request. The contents of the page are tables, pictures and paragraphs.
"""

import base64
import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from PIL import Image

from analysis.figures import save_figure
from trainables.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure  # noqa: TID251  only the name, for a signature

MISSING = "\N{EN DASH}"
_TEMPLATE = "page.html.j2"
_PIXELS_AN_INCH = 128  # letters of 7 points are then 12 CSS pixels high
_MOST_ROWS_AT_A_GLANCE = 15  # a longer table gets a box to filter its rows

Cell = str | float | int | None


@dataclass(frozen=True)
class Column:
    """A column of a table.

    title: the heading.
    kind: "number" if each cell is a number or None, "text" for anything else.
    digits: number of decimals of a number, with commas between thousands. None shows a whole
    number in full, and any other number with four significant digits.
    help: a sentence on what the column holds, shown below the table; "" for none.
    """

    title: str
    kind: Literal["text", "number"] = "text"
    digits: int | None = None
    help: str = ""


@dataclass(frozen=True)
class Table:
    """A table with a caption, whose rows can be marked.

    title: the heading.
    caption: text below the title, which also says what the marked rows are.
    columns: the columns.
    rows: the rows, with one cell per column; None is an empty cell, which is shown as a dash.
    marked: indices of the rows to mark, from 0.
    """

    title: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    marked: frozenset[int] | set[int] = frozenset()

    def __post_init__(self) -> None:
        """Raise ValueError if a row does not fit the columns or a marked row does not exist.

        A row fits if it has one cell per column, and each cell of a column of the kind "number" is
        a number or None.
        """
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
        """True if the table has more than 15 rows; the page then has a box to filter rows."""
        return len(self.rows) > _MOST_ROWS_AT_A_GLANCE


@dataclass(frozen=True)
class Picture:
    """A PNG file that the page contains, with a link to the same figure as PDF.

    title: the heading.
    caption: text below the picture.
    alt: what the picture shows, for readers who cannot see the picture.
    png: path of the PNG file.
    pdf: path of the PDF file. The page has no link if the path is None or outside the page's
    folder.
    """

    title: str
    caption: str
    alt: str
    png: Path
    pdf: Path | None = None


def file_name(name: str) -> str:
    """Return a name, such as that of an architecture, as part of the name of a file.

    Each run of characters other than letters, digits, "_", "-" and "." becomes one "_".
    """
    return re.sub(r"[^\w.-]+", "_", name)


def picture(
    figure: "Figure", folder: Path, name: str, *, title: str, caption: str, alt: str = ""
) -> Picture:
    """Write a figure as NAME.png and NAME.pdf; return the picture for a page.

    figure: the figure. folder: the output folder, which is made if it does not exist. name: the
    value of NAME; files of the same names are replaced. title, caption: texts of the picture. alt:
    what the picture shows, for readers who cannot see the picture; "" takes title and caption.
    OSError is raised if a file cannot be written.
    """
    png = save_figure(figure, folder, name)
    return Picture(title, caption, alt or f"{title}. {caption}", png, png.with_suffix(".pdf"))


@dataclass(frozen=True)
class Section:
    """A part of the report with its own heading.

    title: the heading.
    paragraphs: paragraphs of text, which come first.
    tables: tables, which follow the paragraphs.
    pictures: pictures, which follow the tables.
    """

    title: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()


@dataclass(frozen=True)
class EmbeddedPicture:
    """A picture inside the page, as a data: URI.

    uri: the data: URI of the PNG.
    width, height: size in CSS pixels where the window is wide enough.
    """

    uri: str
    width: int
    height: int


def shown(value: Cell, column: Column) -> str:
    """Return a cell as the text that the page shows.

    value: the cell; None gives a dash. column: the cell's column, whose `digits` decides how a
    finite number is written. Texts, NaN and infinities are written by `str`.
    """
    if value is None:
        return MISSING
    if not isinstance(value, Real) or not math.isfinite(value):
        return str(value)
    if column.digits is not None:
        return f"{value:,.{column.digits}f}"
    return str(value) if isinstance(value, Integral) else f"{value:.4g}"


def embedded(png: Path) -> EmbeddedPicture:
    """Return a PNG as a data: URI with its size on the page.

    png: path of the file. PIL.UnidentifiedImageError is raised if the file is not a PNG, and
    another OSError if the file cannot be read.

    If the PNG stores its resolution, the size in CSS pixels is 128 times the size in inches.
    Letters of one size on paper then have one size on the page. Without a resolution one pixel of
    the PNG is one CSS pixel.
    """
    with Image.open(png, formats=["PNG"]) as image:
        dots_an_inch = image.info.get("dpi", (_PIXELS_AN_INCH, _PIXELS_AN_INCH))[0]
        width, height = (round(side * _PIXELS_AN_INCH / dots_an_inch) for side in image.size)
    encoded = base64.b64encode(png.read_bytes()).decode()
    return EmbeddedPicture(f"data:image/png;base64,{encoded}", width, height)


def relative_link(target: Path | None, folder: Path) -> str | None:
    """Return the URL of a file relative to a folder, or None.

    target: path of the file, which need not exist. folder: path of the folder. None is returned if
    `target` is None or is not inside the folder. Special characters are quoted in the URL.
    """
    if target is None or not target.resolve().is_relative_to(folder.resolve()):
        return None
    return quote(target.resolve().relative_to(folder.resolve()).as_posix())


def _template() -> Template:
    """Return the template of the page, with `shown` and `embedded` as filters.

    Values are escaped for HTML, and a name that the template does not get is an error.
    """
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
    """Return the SHA-256 hash of the page's script in the form of a content security policy."""
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
    """Write the report's page to `out`, either whole or not at all; return `out`.

    out: path of the HTML file, whose folder is made if it does not exist. An earlier file is
    replaced. title: title of the page. facts: what the report is based on (data, galaxies, seed,
    versions), as texts by name; {} leaves out the part of the page. summary: sentences on the
    results; [] leaves out the summary. sections: the sections in their order. OSError is raised if
    the PNG file of a picture cannot be read, or if the page cannot be written.
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
