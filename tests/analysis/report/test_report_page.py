"""The report page: what it says, escaped, numbered, and without an address of anywhere."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from analysis.report.page import Column, Section, Table, file_name, shown, write_report_page
from tests.support.report_pages import COLUMNS, HOSTILE, LEADERS, LONG, full_page


class Links(HTMLParser):
    """Collects the tags of a page and the addresses that they name."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        named = ("src", "href", "srcset", "action", "data", "poster")
        self.addresses += [value or "" for name, value in attrs if name in named]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return full_page(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def text(report: Path) -> str:
    return report.read_text()


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        (None, 4, "–"),
        (0.09849, 4, "0.0985"),
        (27859877, 0, "27,859,877"),
        (2026, None, "2026"),
        (0.000123456, None, "0.0001235"),
        (3.2e-05, None, "3.2e-05"),
        (np.float32(0.5), 2, "0.50"),
        (np.int64(7), None, "7"),
        (float("nan"), 4, "nan"),
    ],
)
def test_numbers_are_shown_with_their_digits(
    value: float | None, digits: int | None, expected: str
) -> None:
    assert shown(value, Column("x", "number", digits)) == expected


def test_hostile_text_is_escaped_everywhere(text: str) -> None:
    assert HOSTILE not in text
    assert text.count("&lt;script&gt;alert(") == 11 + 2 * len(LONG.rows)
    assert Links(text).tags.count("script") == 1
    assert Links(text).tags.count("img") == 2


def test_every_address_is_data_an_anchor_or_a_pdf_beside_the_page(text: str) -> None:
    addresses = Links(text).addresses
    others = [a for a in addresses if not a.startswith(("data:", "#"))]
    assert others == ["wide%20one.pdf"]
    anchors = {a for a in addresses if a.startswith("#")}
    assert all(f'id="{anchor[1:]}"' in text for anchor in anchors)
    assert "url(" not in text and "@import" not in text


def test_pictures_have_their_size_and_a_text(text: str) -> None:
    assert 'width="1440" height="300"' in text
    assert 'width="240" height="180"' in text  # 64 dots an inch, the page has 128
    assert 'alt="alt with &#34;quotes&#34;"' in text


def test_only_a_long_table_has_a_filter(text: str) -> None:
    assert 'id="table-2-filter"' in text
    assert 'id="table-1-filter"' not in text


def test_marked_rows_are_marked(text: str) -> None:
    assert text.count('<tr class="marked">') == 1
    assert "<mark>t1</mark>" in text


def test_a_row_must_fit_the_columns() -> None:
    with pytest.raises(ValueError, match="table 'Leaders', row 0: 3 cells for 4 columns"):
        replace(LEADERS, rows=[("t0", "cnn", 3)])


def test_a_number_column_takes_numbers_alone() -> None:
    with pytest.raises(ValueError, match="row 0: Epochs must be a number, got '3'"):
        replace(LEADERS, rows=[("t0", "cnn", "3", 0.1)])


def test_a_marked_row_must_exist() -> None:
    with pytest.raises(ValueError, match=r"has 7 rows, none is \[7\]"):
        replace(LEADERS, marked={7})


def test_a_page_of_nothing_but_a_title_is_a_page(tmp_path: Path) -> None:
    empty = Table("Nothing", "", COLUMNS, [])
    sections = [Section("Empty", tables=[empty])]
    out = write_report_page(
        tmp_path / "r.html", title="T", facts={}, summary=[], sections=sections
    )
    assert "no rows" in out.read_text()
    assert list(tmp_path.iterdir()) == [out]


def test_the_same_report_gives_the_same_bytes(tmp_path: Path) -> None:
    pages = [
        write_report_page(
            tmp_path / name,
            title="T",
            facts={"seed": "0"},
            summary=["S."],
            sections=[Section("A", tables=[LEADERS])],
        ).read_bytes()
        for name in ("a.html", "b.html")
    ]
    assert pages[0] == pages[1]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("timm:convnext_tiny.fb_in1k", "timm_convnext_tiny.fb_in1k"),
        ("timm:hf_hub:owner/zoobot-encoder@v2", "timm_hf_hub_owner_zoobot-encoder_v2"),
    ],
)
def test_the_name_of_an_architecture_is_safe_in_the_name_of_a_file(name: str, file: str) -> None:
    assert file_name(name) == file
