"""What the command line prints beside its results."""

import warnings

import pytest

from galaxytune.cli.terminal import notices_as_notes
from search_spaces.declaration import Notice


def test_a_notice_is_one_plain_line_and_other_warnings_stay(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        before = warnings.showwarning
        with pytest.warns(RuntimeWarning, match="of a library"), notices_as_notes():
            for _ in range(2):
                warnings.warn("conv1.weight is for greyscale images", Notice, stacklevel=1)
            warnings.warn("of a library", RuntimeWarning, stacklevel=1)
        assert warnings.showwarning is before
    assert capsys.readouterr().err == "note: conv1.weight is for greyscale images\n"
