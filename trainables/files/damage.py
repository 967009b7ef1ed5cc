"""The errors that reading a damaged file may raise, and the text of an error on one line."""

import pickle
import struct
import tokenize
import zipfile
import zlib

# RuntimeError or a subclass is raised for a zip member that is encrypted or of an unknown
# compression, TokenError for a damaged npy header, and SyntaxError for a broken PNG.
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

# What torch.load may raise of a damaged file: its unpickler does not check what it reads.
PICKLE_DAMAGE = (
    pickle.UnpicklingError,
    struct.error,
    EOFError,
    LookupError,
    ValueError,
    RuntimeError,
    AssertionError,
    AttributeError,
    TypeError,
)


def one_line(error: BaseException) -> str:
    """Return an exception's text on one line, or the name of its class if there is no text."""
    return " ".join(str(error).split()) or type(error).__name__
