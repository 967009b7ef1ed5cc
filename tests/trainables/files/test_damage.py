"""Damage: what another library says of it, told on one line."""

import io
import zipfile

import pytest

from trainables.files.damage import one_line


def test_an_errors_text_is_told_on_one_line() -> None:
    assert one_line(ValueError("two\n  lines")) == "two lines"
    assert one_line(EOFError()) == "EOFError"
    with pytest.raises(zipfile.BadZipFile) as error:
        zipfile.ZipFile(io.BytesIO(b"none"))
    assert one_line(error.value) == "File is not a zip file"
