"""No setting of matplotlib that a user may have prevents a figure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import clean_environment

DRAW = """
import os, sys
from pathlib import Path
here = os.getcwd()
from analysis.figures import in_style, save_figure
from analysis.figures.style import new_figure
figure = in_style(new_figure)(2, 2)
in_style(figure.subplots)().set_title("a $b$")
save_figure(figure, Path(sys.argv[1]), "figure")
assert os.getcwd() == here and os.environ.get("MPLBACKEND") == (sys.argv[2] or None)
"""


def drawn(folder: Path, backend: str = "", **environment: str) -> bytes:
    """The bytes of a figure that a process draws in a folder."""
    told = clean_environment() | environment | ({"MPLBACKEND": backend} if backend else {})
    told.pop("MPLBACKEND", None) if not backend else None
    command = [sys.executable, "-P", "-c", DRAW, str(folder / "out"), backend]
    answer = subprocess.run(command, cwd=folder, env=told, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return (folder / "out" / "figure.png").read_bytes()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return drawn(tmp_path_factory.mktemp("plain"))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["foo", " agg", "module://no_such.backend", "TkAgg"])
def test_any_backend_gives_the_same_figure(backend: str, tmp_path: Path, plain: bytes) -> None:
    assert drawn(tmp_path, backend) == plain


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        "figure.dpi: 100  # \N{LATIN SMALL LETTER E WITH ACUTE}",
        "backend: foo",
        "text.usetex: True",
        "savefig.bbox: tight",
        "axes.formatter.use_locale: True",
        "axes.facecolor: red",
    ],
)
def test_any_settings_file_gives_the_same_figure(
    settings: str, tmp_path: Path, plain: bytes
) -> None:
    (tmp_path / "matplotlibrc").write_text(settings + "\n", encoding="latin-1")
    assert drawn(tmp_path, LC_ALL="xx_YY") == plain


@pytest.mark.slow
def test_what_the_user_set_stays_in_force_for_the_users_own_figures(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("axes.facecolor: red\n")
    code = "from analysis.figures import in_style\nfrom matplotlib import rcParams as own\n"
    code += "print(own['axes.facecolor'])"
    answer = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True,
        env={k: v for k, v in os.environ.items() if k != "MPLBACKEND"},
    )  # fmt: skip
    assert answer.stdout == "red\n"
