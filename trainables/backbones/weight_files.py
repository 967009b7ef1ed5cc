"""The tensors in a file of weights; the content of a file decides how it is read, not its name."""

import argparse
import pickle
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from search_spaces.declaration import InvalidInput, check_regular
from trainables.backbones.tensor_kinds import check_kinds
from trainables.files import DAMAGE, PICKLE_DAMAGE, load_weights, one_line

_STATE_DICT = "give a state_dict of PyTorch or a safetensors file"
_HEAD_BYTES = 512
_LONGEST_HEADER = 2**32  # bytes of a safetensors header, whose length the first 8 bytes give
# In the older format of torch.save the first pickle is this number alone.
_TORCH_MAGIC = b"l\xfc\x9cF\xf9 j\xa8P\x19"
_MAGIC_ENDS = 32  # bytes from the start of the file, whatever the protocol of the pickle
_LONGEST = 200  # characters that are kept of another library's message
# The first bytes of files that people mistake for weights of PyTorch, and what each kind is.
_OTHER_KINDS = (
    (b"version https://git-lfs", "is a pointer of git-lfs; `git lfs pull` fetches the weights"),
    (
        b"<",
        "is a web page; on the Hugging Face hub the address of a file has /resolve/, not /blob/",
    ),
    (b"\x89HDF", f"is an HDF5 file, as Keras writes; {_STATE_DICT}"),
    (b"\x93NUMPY", f"is an array of numpy; {_STATE_DICT}"),
    (b"GGUF", f"is a GGUF file; {_STATE_DICT}"),
    (b"SIMPLE  =", f"is a FITS file; {_STATE_DICT}"),
    (b"\x1f\x8b", "is compressed by gzip; unpack the file first"),
    (b"\xfd7zXZ", "is compressed by xz; unpack the file first"),
    (b"BZh", "is compressed by bzip2; unpack the file first"),
    (b"\x28\xb5\x2f\xfd", "is compressed by zstd; unpack the file first"),
    (b"\x08", f"is no file of PyTorch but looks like ONNX; {_STATE_DICT}"),
)
# A name in a zip file that only one kind of file has, and what that kind is.
_OTHER_ZIPS = (
    ("constants.pkl", f"is a TorchScript program; {_STATE_DICT}"),
    ("model.weights.h5", f"is a model of Keras; {_STATE_DICT}"),
    ("archive_format", f"is a program of torch.export; {_STATE_DICT}"),
    (".npy", f"is an archive of numpy; {_STATE_DICT}"),
)


def read_state(path: Path) -> dict[str, Tensor]:
    """Return all tensors of a weight file by name, on the CPU.

    The file is a safetensors file or was written by `torch.save`, whatever its suffix. In a file
    of `torch.save` the tensors may be nested in mappings and lists, as in checkpoints; the name of
    a tensor then joins the keys with dots, such as `state_dict.conv1.weight`. Everything but
    tensors is left out. No code in the file is run.

    InvalidInput is raised, with one line, if the file is missing, a folder, no regular file,
    empty, damaged or of another kind, if it holds Python objects that torch.load refuses, or if it
    holds no tensor, or if `check_kinds` refuses a tensor.
    """
    head = _head(path)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < _LONGEST_HEADER:
        tensors = load_weights(path)
        check_kinds(path, tensors)
        return tensors
    _refuse_other_kinds(path, head)
    tensors = dict(_tensors(_loaded(path), ()))
    if not tensors:
        raise InvalidInput(f"{path} holds no state_dict of tensors")
    check_kinds(path, tensors)
    return tensors


def _head(path: Path) -> bytes:
    """Return the first bytes of a file; InvalidInput if the path is no file or the file is empty.

    For a folder the message names the files in the folder that look like weights.
    """
    if path.is_dir():
        inside = [p.name for p in sorted(path.iterdir()) if p.suffix in (".safetensors", ".bin")]
        there = f", such as {path / inside[0]}" if inside else ""
        raise InvalidInput(f"{path} is a folder; give the file of weights{there}")
    check_regular(path)
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror or error}") from None
    if not head:
        raise InvalidInput(f"{path} is not a whole weight file: the file is empty")
    return head


def _refuse_other_kinds(path: Path, head: bytes) -> None:
    """Raise InvalidInput unless a file looks as if `torch.save` had written it.

    head: the first bytes of the file. The message says which kind of file it is, if that is known.
    """
    text = head.lstrip(b" \t\r\n\xef\xbb\xbf")  # without white space and the mark of UTF-8
    for begins, kind in _OTHER_KINDS:
        if head.startswith(begins) or (begins == b"<" and text.startswith(begins)):
            raise InvalidInput(f"{path} {kind}")
    if text.startswith(b"{"):
        _refuse_json(path)
    if head[257:262] == b"ustar":
        raise InvalidInput(f"{path} is a tar archive; unpack the archive and give the file in it")
    if head.startswith(b"PK"):
        _refuse_other_zips(path)
    elif not head.startswith(b"\x80"):
        raise InvalidInput(
            f"{path} is not a whole weight file: it begins with {head[:8]!r}; {_STATE_DICT}"
        )
    elif _TORCH_MAGIC not in head[:_MAGIC_ENDS]:
        raise InvalidInput(f"{path} is a pickle that torch.save did not write; {_STATE_DICT}")


def _refuse_json(path: Path) -> None:
    """Raise InvalidInput about a JSON file, which may be the index of weights in several files."""
    with path.open("rb") as file:
        is_index = b'"weight_map"' in file.read()
    if is_index:
        raise InvalidInput(
            f"{path} is the index of weights in several files; join the files into one file of "
            "safetensors"
        )
    raise InvalidInput(f"{path} is a JSON file; {_STATE_DICT}")


def _refuse_other_zips(path: Path) -> None:
    """Raise InvalidInput unless a zip file has the member that `torch.save` writes."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (*DAMAGE, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not a whole weight file ({one_line(error)})") from None
    for ending, kind in _OTHER_ZIPS:
        if any(name.endswith(ending) for name in names):
            raise InvalidInput(f"{path} {kind}")
    if not any(name.endswith("data.pkl") for name in names):
        raise InvalidInput(f"{path} is a zip file of something else; {_STATE_DICT}")


def _loaded(path: Path) -> Any:
    """Return the content of a file of `torch.save`; InvalidInput if torch.load refuses the file.

    The class argparse.Namespace is allowed, because the checkpoints of timm hold their arguments
    in it. The warnings of torch.load about kinds of tensors and of pickles are silenced.
    """
    try:
        # of an open file torch judges by the content; of a path also by the suffix
        with (
            warnings.catch_warnings(action="ignore", category=UserWarning),
            torch.serialization.safe_globals([argparse.Namespace]),
            path.open("rb") as file,
        ):
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "Weights only load failed" in str(error) and "GLOBAL" in str(error):
            raise InvalidInput(_needs_code(path, str(error))) from None
        raise InvalidInput(f"{path} is not a whole weight file ({_short(error)})") from None
    except (*DAMAGE, *PICKLE_DAMAGE) as error:
        raise InvalidInput(f"{path} is not a whole weight file ({_short(error)})") from None


def _short(error: Exception) -> str:
    """Return the first sentence of an error's text, on one line."""
    return one_line(error)[:_LONGEST]


def _needs_code(path: Path, told: str) -> str:
    """Return the message about a file with Python objects; `told`: the message of torch.load."""
    found = told.partition("GLOBAL ")[2].split()
    name = found[0].strip("`,") if found else "unknown classes"
    return (
        f"{path} holds Python objects ({name}), whose loading may run code; on a machine where "
        "you trust the file load it with torch.load(FILE, weights_only=False), and write the "
        "state_dict in it with safetensors.torch.save_file"
    )


def _tensors(value: Any, keys: tuple[str, ...]) -> Iterator[tuple[str, Tensor]]:
    """Yield (name, tensor) of each tensor in nested mappings and lists.

    keys: the keys that lead to `value`; the name joins them and the further keys with dots.
    """
    if isinstance(value, Tensor):
        yield ".".join(keys), value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _tensors(inner, (*keys, str(key)))
    elif isinstance(value, (list, tuple)):
        for number, inner in enumerate(value):
            yield from _tensors(inner, (*keys, str(number)))
