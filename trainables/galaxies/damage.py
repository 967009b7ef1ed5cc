"""What reading a damaged file may raise, and how to say it on one line."""

import struct
import tokenize
import zipfile
import zlib

# RuntimeError is an encrypted zip member, or by its subclass one of unknown compression;
# TokenError is a damaged npy header, SyntaxError a broken PNG.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    KeyError,
    OSError,
    ValueError,
    RuntimeError,
    SyntaxError,
    tokenize.TokenError,
)


def one_line(error: BaseException) -> str:
    """An exception's text on one line, or its name where it has no text."""
    return " ".join(str(error).split()) or type(error).__name__
