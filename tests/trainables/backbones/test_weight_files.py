"""Weight files by content: what is no file of weights is named for what it is, in one line."""

import argparse
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from search_spaces.declaration import InvalidInput
from trainables.backbones.weight_files import read_state

Make = Callable[[Path], object]


def of(content: bytes) -> Make:
    return lambda path: path.write_bytes(content)


def zipped(member: str) -> Make:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(member, b"x")

    return make


KINDS: dict[str, tuple[Make, str]] = {
    "a web page": (of(b"\n <!DOCTYPE html><html>"), "is a web page"),
    "a web page with a mark": (of(b"\xef\xbb\xbf<html>"), "is a web page"),
    "a pointer": (of(b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n"), "git-lfs"),
    "Keras's HDF5": (of(b"\x89HDF\r\n\x1a\n" + bytes(100)), "is an HDF5 file, as Keras writes"),
    "Keras's zip": (zipped("model.weights.h5"), "is a model of Keras"),
    "ONNX": (of(b"\x08\x07\x12\x07pytorch\x1a\x051.0"), "looks like ONNX"),
    "numpy's arrays": (zipped("a.npy"), "is an archive of numpy"),
    "TorchScript": (zipped("net/constants.pkl"), "is a TorchScript program"),
    "another zip": (zipped("readme.txt"), "is a zip file of something else"),
    "an index": (of(b'{"metadata": {}, "weight_map": {"a": "b"}}'), "in several files"),
    "JSON": (of(b'{\n  "architecture": "resnet18"}'), "is a JSON file"),
    "gzip": (of(b"\x1f\x8b\x08\x00" + bytes(50)), "is compressed by gzip"),
    "a tar archive": (of(b"a" * 257 + b"ustar" + bytes(300)), "is a tar archive"),
    "nothing": (of(b""), "is not a whole weight file: the file is empty"),
    "a folder": (Path.mkdir, "is a folder; give the file of weights"),
    "a whole model": (lambda p: torch.save(nn.Linear(1, 1), p), "torch.nn.modules.linear.Linear"),
    "the words of a whole model": (lambda p: torch.save(nn.Linear(1, 1), p), "save_file"),
}


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".bin"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_another_kind_is_named_whatever_its_suffix(
    kind: str, suffix: str, tmp_path: Path
) -> None:
    make, told = KINDS[kind]
    make(tmp_path / f"weights{suffix}")
    with pytest.raises(InvalidInput) as error:
        read_state(tmp_path / f"weights{suffix}")
    assert told in str(error.value) and "\n" not in str(error.value)


def test_a_folder_names_the_file_in_it(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(InvalidInput, match=f"such as {tmp_path}/model.safetensors"):
        read_state(tmp_path)


@pytest.mark.parametrize("name", ["w.bin", "w.ckpt", "w.tar", "w.safetensors", "w"])
def test_the_content_decides_not_the_suffix(name: str, tmp_path: Path) -> None:
    torch.save({"a": torch.ones(1)}, tmp_path / name)
    assert list(read_state(tmp_path / name)) == ["a"]
    save_file({"b": torch.ones(1)}, str(tmp_path / name))
    assert list(read_state(tmp_path / name)) == ["b"]


def test_a_checkpoint_gives_the_tensors_at_any_depth(tmp_path: Path) -> None:
    checkpoint = {
        "epoch": 3,
        "args": argparse.Namespace(lr=0.1),  # as the checkpoints of timm
        "state_dict": {"conv.weight": torch.ones(1)},
        "optimizer": {"state": {0: {"step": torch.zeros(())}}, "param_groups": [{"lr": 0.1}]},
    }
    torch.save(checkpoint, tmp_path / "c.ckpt")
    found = read_state(tmp_path / "c.ckpt")
    assert list(found) == ["state_dict.conv.weight", "optimizer.state.0.step"]


@pytest.mark.filterwarnings("error")
def test_the_older_format_of_torch_is_read(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    assert torch.equal(read_state(tmp_path / "a.pth")["a"], torch.ones(2))


def test_a_fifo_holds_no_weights(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.pth")
    with pytest.raises(InvalidInput, match="x.pth is no regular file"):
        read_state(tmp_path / "x.pth")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_raw_pickle_is_named_without_a_warning(protocol: int, tmp_path: Path) -> None:
    (tmp_path / "w.pkl").write_bytes(pickle.dumps({"conv1.weight": [1.0]}, protocol))
    with pytest.raises(InvalidInput, match="w.pkl is a pickle that torch.save did not write"):
        read_state(tmp_path / "w.pkl")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("protocol", [2, 3])
def test_the_older_format_is_read_whatever_its_protocol(protocol: int, tmp_path: Path) -> None:
    torch.save(
        {"a": torch.ones(2)},
        tmp_path / "a.pth",
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=False,
    )
    assert torch.equal(read_state(tmp_path / "a.pth")["a"], torch.ones(2))
