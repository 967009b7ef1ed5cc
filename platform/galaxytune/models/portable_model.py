"""A network as one file that runs without galaxytune: `model.onnx` or `model.pt2`.

ONNX Runtime and many other programs run `model.onnx`; PyTorch runs `model.pt2`. Both files map
`images` [B, 3, S, S] float32 in 0..1, RGB, to `fractions` [B, 37] float32 in 0..1, for any number
B of images. S is the side of the training images in pixels. If the network looks at a part of the
images, or at images of another side, the file cuts the part and changes the side itself.
"""

import copy
import io
import json
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export import ExportedProgram

from search_spaces.declaration import InvalidInput, WorkFailed
from trainables.decision_tree import COLUMNS
from trainables.files import one_line
from trainables.galaxies import enlarged, reduced, seen_part
from trainables.layers import GalaxyNetwork
from trainables.training import predict

ModelFormat = Literal["folder", "onnx", "torch"]
"""A format of an exported model; the export folder itself is always written."""

PORTABLE_FILES = {"onnx": "model.onnx", "torch": "model.pt2"}
TOLERANCE = 1e-5
"""Largest allowed difference between the vote fractions of a file and those of the network.

A larger difference passes only if rounding explains it; see `portable_files`.
"""

_INPUT, _OUTPUT = "images", "fractions"
_OPSET = 18  # PyTorch's translations are written in this version, so nothing is converted
_LARGEST_ONNX = 1536 << 20  # bytes of weights; PyTorch writes a second file for more
_NUM_EXAMPLES = 2  # images; a trace of 1 image may conclude that B is always 1
_ROUNDINGS = 4  # a file rounds in another order, and may differ by so many errors of rounding
_LONGEST = 200  # characters of another library's message
# What the nodes of a graph remember of the code that made them, with folders of this computer.
_TRACES = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node")
# The errors by which PyTorch says that it cannot write a network.
_REFUSALS = (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True)
class PortableFile:
    """A network as one file, which has been checked.

    content: the bytes of the file.
    largest_difference: the largest absolute difference between the vote fractions of the file and
        those of the network, over the images by which the file was checked.
    """

    content: bytes
    largest_difference: float


def checked_formats(formats: ModelFormat | Collection[str]) -> tuple[str, ...]:
    """Return the named formats that need a file of their own: `onnx` first, then `torch`.

    formats: names of formats, or one name; `folder` needs no further file. The result holds each
    format once, and is () if there is none. A name that is no format raises InvalidInput.
    """
    named = (formats,) if isinstance(formats, str) else tuple(formats)
    for name in named:
        if name != "folder" and name not in PORTABLE_FILES:
            raise InvalidInput(f"a format is folder, {' or '.join(PORTABLE_FILES)}, not {name!r}")
    return tuple(name for name in PORTABLE_FILES if name in named)


def portable_files(
    network: GalaxyNetwork,
    formats: Collection[str],
    pixels: NDArray[np.uint8],
    *,
    crop: int,
) -> dict[str, PortableFile]:
    """Return the network's files in the given formats, by name of the file; {} for no format.

    formats: any of `onnx` and `torch`. pixels: [N, S, S, 3] uint8, at least one image of the size
    of the training images, with which each file is checked. crop: side in pixels of the central
    square of a survey's image that was reduced to S. The network is left as it was, and nothing is
    written to disk.

    WorkFailed is raised if PyTorch cannot trace the network or cannot write the network as ONNX,
    if memory does not hold a prediction, or if a file's vote fractions differ from the network's
    by more than TOLERANCE. A larger difference passes only if float32 explains it: a deep
    network's own vote fractions may be further than TOLERANCE from those that the network has in
    float64. Errors of `torch.export.save` and of ONNX Runtime pass unchanged.
    """
    if not formats:
        return {}
    side = pixels.shape[1]
    about = _description(side, crop)
    on_cpu = copy.deepcopy(network).cpu()
    expected = predict(on_cpu, pixels, torch.device("cpu"))
    program = _traced(_writable(on_cpu, side), side)
    files = {}
    for name, write, run in (
        ("onnx", _onnx_content, _run_onnx),
        ("torch", _torch_content, _run_torch),
    ):
        if name in formats:
            content = write(program, about)
            difference = _largest_difference(run(content, _images(pixels)), expected)
            if not difference <= TOLERANCE:  # a difference that is no number is refused too
                exact = _exact_fractions(on_cpu, pixels)
                _check(PORTABLE_FILES[name], difference, _largest_difference(expected, exact))
            files[PORTABLE_FILES[name]] = PortableFile(content, difference)
    return files


class _PortableModule(nn.Module):
    """A network that cuts its images and changes their side itself.

    network: the network inside, which reads images of its own `image_side`.
    """

    def __init__(self, network: GalaxyNetwork) -> None:
        """Keep the network, not a copy of it."""
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Map images [B, 3, S, S] in 0..1, for any S, to vote fractions [B, 37], as `predict`."""
        side = self.network.image_side
        seen = seen_part(images, self.network.field_fraction)
        fractions: Tensor = self.network(enlarged(reduced(seen, side), side))
        return fractions


class _GlobalMaximum(nn.Module):
    """A layer that equals nn.AdaptiveMaxPool2d(1), which PyTorch 2.11 cannot write as ONNX."""

    def forward(self, maps: Tensor) -> Tensor:
        """Map [B, C, h, w] to [B, C, 1, 1]."""
        return maps.amax((2, 3), keepdim=True)


def _writable(network: GalaxyNetwork, side: int) -> GalaxyNetwork:
    """Return a copy of a network that PyTorch can write: in evaluation mode, without gradients.

    network: a network on the CPU. side: side of the images of the training, in pixels.

    Some of timm's attentions compute biases in evaluation mode and keep them. The change to
    training mode deletes such biases, and the pass over a black image of `side` pixels computes
    them anew: the trace of a graph must not keep a tensor that the trace itself computed.
    """
    copied = copy.deepcopy(network).train().eval().requires_grad_(False)
    for module in list(copied.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.AdaptiveMaxPool2d) and child.output_size in (1, (1, 1)):
                setattr(module, name, _GlobalMaximum())
    _PortableModule(copied)(torch.zeros(1, 3, side, side))
    return copied


def _traced(network: GalaxyNetwork, side: int) -> ExportedProgram:
    """Return the graph of a network, with the resizing of its images, as torch.export traces it.

    network: on the CPU, in evaluation mode and without gradients. side: width and height of the
    images that the graph takes, in pixels. The graph maps images [B, 3, side, side] float32 in
    0..1, for any B, to vote fractions [B, 37]. WorkFailed is raised if PyTorch cannot trace the
    network.
    """
    images = torch.zeros(_NUM_EXAMPLES, 3, side, side)
    with _refused_as("PyTorch cannot write this network to a file"):
        program = torch.export.export(
            _PortableModule(network).eval(),
            (images,),
            dynamic_shapes={_INPUT: {0: torch.export.Dim("batch")}},
            strict=False,
        )
    for module in program.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, torch.fx.GraphModule) else ():
            for trace in _TRACES:
                node.meta.pop(trace, None)
    return program


def _description(side: int, crop: int) -> dict[str, str]:
    """Return what a file says about itself, as texts by name.

    side, crop: as in `portable_files`. The names are `input` and `output` of the graph, `crop` and
    `side` in pixels, and `columns`, the JSON list of Kaggle's names of the 37 answers.
    """
    return {
        "input": _INPUT,
        "output": _OUTPUT,
        "crop": str(crop),
        "side": str(side),
        "columns": json.dumps(COLUMNS),
    }


def _onnx_content(program: ExportedProgram, about: dict[str, str]) -> bytes:
    """Return the content of an ONNX file with a graph and the description `about`.

    WorkFailed is raised if the weights take more than 1536 MiB, or if PyTorch cannot translate the
    graph. The optimised graph, in which BatchNorm is part of the convolutions, is as near to the
    network as the graph as traced.
    """
    tensors = [*program.state_dict.values(), *program.constants.values()]
    size = sum(t.numel() * t.element_size() for t in tensors if isinstance(t, Tensor))
    if size > _LARGEST_ONNX:
        raise WorkFailed(
            f"{size >> 20} MiB of weights do not fit into one ONNX file, which holds "
            f"{_LARGEST_ONNX >> 20} MiB; the format torch has no such limit"
        )
    with _refused_as("PyTorch cannot write this network as ONNX"), warnings.catch_warnings():
        # torch 2.11 itself uses what it deprecates
        warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)`", FutureWarning)
        translated = torch.onnx.export(
            program,
            dynamic_shapes={_INPUT: {0: "batch"}},
            input_names=[_INPUT],
            output_names=[_OUTPUT],
            opset_version=_OPSET,
            optimize=True,
            verbose=False,
        )
        assert translated is not None  # only PyTorch's older exporter returns None
        translated.model.metadata_props.update(about)
        content: bytes = translated.model_proto.SerializeToString()
    return content


def _torch_content(program: ExportedProgram, about: dict[str, str]) -> bytes:
    """Return the content of a file for `torch.export.load`, with the description `about`."""
    file = io.BytesIO()
    torch.export.save(program, file, extra_files=about)
    return file.getvalue()


def _run_onnx(content: bytes, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the vote fractions [N, 37] that an ONNX file gives on the CPU.

    content: the bytes of the file. images: [N, 3, S, S] in 0..1.
    """
    import onnxruntime  # the import takes a second, and only exports need it

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    fractions: NDArray[np.float32] = session.run([_OUTPUT], {_INPUT: images})[0]
    return fractions


def _run_torch(content: bytes, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the vote fractions [N, 37] that a torch file gives on the CPU.

    content: the bytes of the file. images: [N, 3, S, S] in 0..1.
    """
    with warnings.catch_warnings():  # torch 2.11 says that the weights cannot be changed
        warnings.filterwarnings("ignore", "The given buffer is not writable", UserWarning)
        module = torch.export.load(io.BytesIO(content)).module()
    with torch.no_grad():
        fractions: NDArray[np.float32] = module(torch.from_numpy(images)).numpy()
    return fractions


def _images(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Map pixels [N, S, S, 3] uint8 to the images [N, 3, S, S] in 0..1 that the files read."""
    images = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32)
    return images / np.float32(255)


def _exact_fractions(network: GalaxyNetwork, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the vote fractions [N, 37] that a network predicts if it computes in float64.

    network: on the CPU and in evaluation mode; the network is copied. pixels: [N, S, S, 3] uint8.
    """
    images = torch.from_numpy(_images(pixels)).double()
    with torch.no_grad():
        fractions: NDArray[np.float64] = _PortableModule(copy.deepcopy(network).double())(
            images
        ).numpy()
    return fractions


def _largest_difference(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Return the largest absolute difference of two arrays [N, 37]; NaN if a value is NaN."""
    return float(np.abs(a - b).max())


def _check(name: str, difference: float, rounding: float) -> None:
    """Raise WorkFailed if a file's difference from the network is more than rounding explains.

    Four times `rounding` is allowed, and at least TOLERANCE. name: the file's name, for the
    message. difference: largest difference between the vote fractions of the file and of the
    network; NaN is refused. rounding: largest difference between the network's vote fractions in
    float32 and in float64.
    """
    allowed = max(TOLERANCE, _ROUNDINGS * rounding)
    if not difference <= allowed:
        raise WorkFailed(
            f"{name} was not written: its vote fractions would differ by up to {difference:.1e} "
            f"from those of the network, and {allowed:.1e} is allowed"
        )


@contextmanager
def _refused_as(message: str) -> Iterator[None]:
    """Raise WorkFailed, whose text begins with `message`, if the block raises one of _REFUSALS."""
    try:
        yield
    except _REFUSALS as error:
        raise WorkFailed(f"{message}: {one_line(error)[:_LONGEST]}") from None
