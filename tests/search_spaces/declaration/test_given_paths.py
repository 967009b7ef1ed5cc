"""Paths as a person writes them are those that a shell would make of them, or are refused."""

from pathlib import Path

import pytest

from search_spaces.declaration.errors import InvalidInput
from search_spaces.declaration.given_paths import given_path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder and a variable of the test's own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SURVEY", "sdss")
    monkeypatch.delenv("NOBODY_SET_IT", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("~/g.npz", "{home}/g.npz"),
        ("~", "{home}"),
        ("$HOME/$SURVEY.npz", "{home}/sdss.npz"),
        ("a/${SURVEY}_1/g.npz", "a/sdss_1/g.npz"),
        ("a~b/g.npz", "a~b/g.npz"),
        ("5$.npz", "5$.npz"),
        ("g.npz", "g.npz"),
        ("/data/é.npz", "/data/é.npz"),
    ],
)
def test_a_path_is_expanded_as_a_shell_does(given: str, made: str, home: Path) -> None:
    assert given_path(given) == given_path(Path(given)) == Path(made.format(home=home))


def test_a_file_whose_name_has_a_dollar_is_found(home: Path) -> None:
    (home / "$NOBODY_SET_IT.npz").touch()
    assert given_path("$NOBODY_SET_IT.npz") == Path("$NOBODY_SET_IT.npz")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("$NOBODY_SET_IT/g.npz", "the environment variable NOBODY_SET_IT is not set$"),
        ("~/${NOBODY_SET_IT}", "the environment variable NOBODY_SET_IT is not set$"),
        ("~nobody-here/g.npz", "'~nobody-here/g.npz' has no home folder"),
        ("", "^a path is empty"),
        ("a\0b", "holds a character that cannot be printed"),
        ("a\n.npz", "holds a character that cannot be printed"),
        ("/tmp/" + "x" * 256, "^a name in a path has 256 bytes, at most 255 are possible"),
        ("é" * 128, "^a name in a path has 256 bytes"),
    ],
)
def test_a_path_that_cannot_be_is_refused_in_one_line(given: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told) as error:
        given_path(given)
    assert "\n" not in str(error.value)
