"""Weight files whose tensors are valid but cannot fill a backbone."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from search_spaces.declaration import InvalidInput
from trainables.backbones.weight_files import read_state


def quantised(tensor: Tensor) -> Tensor:
    return torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8)


KINDS: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "sparse": (lambda tensor: tensor.to_sparse(), "sparse tensors, such as net.conv.weight"),
    "sparse rows": (lambda tensor: tensor.to_sparse_csr(), "sparse tensors, such as net"),
    "meta": (lambda tensor: tensor.to("meta"), "tensors without numbers, of PyTorch's device"),
    "quantised": (quantised, "quantised tensors, such as net.conv.weight"),
    "int32": (lambda tensor: tensor.int(), "weights of int32, such as net.conv.weight"),
    "int8": (lambda tensor: tensor.to(torch.int8), "weights of int8, such as net.conv.weight"),
    "truth": (lambda tensor: tensor > 0, "weights of bool, such as net.conv.weight"),
    "complex": (lambda tensor: tensor.to(torch.complex64), "weights of complex64, such as net"),
}


@pytest.mark.filterwarnings("ignore:(?s).*(Sparse CSR|quantize_per_tensor|TypedStorage)")
@pytest.mark.parametrize("kind", KINDS)
def test_a_tensor_that_cannot_be_copied_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    made, told = KINDS[kind]
    state = {"net.bn.weight": torch.ones(2), "net.conv.weight": made(torch.eye(2))}
    torch.save({"model": {"steps": torch.tensor(3), **state}}, tmp_path / "w.pth")
    with pytest.raises(InvalidInput, match=told.replace("net", "model.net")) as error:
        read_state(tmp_path / "w.pth")
    assert "save the weights as dense tensors of float32" in str(error.value)


def test_a_file_without_real_numbers_is_refused_whatever_its_names(tmp_path: Path) -> None:
    torch.save({"conv.kernel": torch.ones(2, dtype=torch.int16)}, tmp_path / "w.pth")
    with pytest.raises(InvalidInput, match="no real numbers; .* conv.kernel, is of int16"):
        read_state(tmp_path / "w.pth")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_whole_numbers_beside_weights_are_read(dtype: torch.dtype, tmp_path: Path) -> None:
    state = {"a.weight": torch.ones(2, dtype=dtype), "a.index": torch.arange(3)}
    torch.save(state, tmp_path / "w.pth")
    assert list(read_state(tmp_path / "w.pth")) == ["a.weight", "a.index"]
