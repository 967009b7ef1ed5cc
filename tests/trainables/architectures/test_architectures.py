"""The networks: published sizes, Keras' habits, and outputs against an implementation in NumPy."""

import math
import pkgutil
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.signal import correlate
from torch import nn

import trainables.architectures
from search_spaces.declaration.known_architectures import (
    architecture_names,
    config_class,
    config_from_values,
    module_name,
)
from trainables.architectures import architecture_source, build_without_weights
from trainables.architectures.parallel_cnn import ParallelCNN
from trainables.architectures.simple_cnn import SimpleCNN
from trainables.backbones.fine_tuning import FineTunedNetwork
from trainables.layers.keras_layers import SameConv2d, count_parameters
from trainables.layers.network import GalaxyNetwork

everywhere = pytest.mark.parametrize("name", [*architecture_names(), "timm:resnet18"])
OWN = ["parallel_cnn", "simple_cnn", "vision_transformer"]  # the student project's own designs
own = pytest.mark.parametrize("name", OWN)
Array = NDArray[np.float64]


def build(name: str, **values: Any) -> GalaxyNetwork:
    torch.manual_seed(0)
    return build_without_weights(config_from_values({"architecture": name, **values}))


def small(name: str, **values: Any) -> GalaxyNetwork:
    """A network of an architecture that runs fast: narrow, or on small images."""
    shrunk: dict[str, Any] = {"width": 0.1} if name in OWN else {"input_side": 64}
    return build(name, **shrunk, **values)


def numpy_of(tensor: torch.Tensor | None) -> Array:
    assert tensor is not None
    return tensor.detach().numpy().astype(np.float64)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "total", "trainable"),
    [
        ("parallel_cnn", 1_160_165, 1_159_653),
        ("simple_cnn", 522_469, 522_469),
        ("vision_transformer", 1_821_477, 1_821_477),
        ("resnet50", 27_859_877, 4_272_165),
        ("vgg16", 27_579_237, 12_864_549),
    ],
)
def test_parameters_are_as_many_as_published(name: str, total: int, trainable: int) -> None:
    published = build(name, **config_class(name).PUBLISHED)
    assert count_parameters(published) == (total, trainable)


def test_every_search_space_has_a_network_and_every_network_a_search_space() -> None:
    modules = {m.name for m in pkgutil.iter_modules(trainables.architectures.__path__)}
    assert modules == {module_name(name) for name in [*architecture_names(), "timm:resnet18"]}


@everywhere
def test_a_source_is_told_in_one_line(name: str) -> None:
    assert architecture_source(name) and "\n" not in architecture_source(name)


@pytest.mark.slow
@everywhere
def test_images_become_37_fractions(name: str) -> None:
    network = small(name).eval()
    votes = network(torch.rand(3, 3, network.image_side, network.image_side))
    assert votes.shape == (3, 37)
    assert 0 <= votes.min() and votes.max() <= 1


@own
def test_width_shrinks_a_network(name: str) -> None:
    sizes = [count_parameters(build(name, width=w))[0] for w in (0.01, 0.25, 0.5, 1.0)]
    assert sizes == sorted(set(sizes))
    assert sizes[-1] > 3 * sizes[-2]


def test_kernel_6_pads_two_before_and_three_behind() -> None:
    layer = SameConv2d(1, 1, 6)
    nn.init.ones_(layer.convolution.weight)
    nn.init.zeros_(layer.convolution.bias)  # type: ignore[arg-type]
    summed = layer(torch.ones(1, 1, 8, 8))[0, 0]
    in_reach = torch.tensor([4.0, 5, 6, 6, 6, 5, 4, 3])  # of columns i-2 ... i+3, those in 0..7
    assert torch.equal(summed, torch.outer(in_reach, in_reach))


def test_mirrored_padding_would_give_something_else() -> None:
    torch.manual_seed(0)
    layer, image = SameConv2d(2, 3, 6), torch.rand(1, 2, 9, 9)
    kernels, biases = layer.convolution.weight, layer.convolution.bias
    as_keras, mirrored = (
        F.relu(F.conv2d(F.pad(image, padding), kernels, biases))
        for padding in ((2, 3, 2, 3), (3, 2, 3, 2))
    )
    assert torch.allclose(layer(image), as_keras, atol=1e-6)
    assert not torch.allclose(layer(image), mirrored, atol=1e-3)


def test_batch_norm_has_keras_constants() -> None:
    norms = [m for m in build("parallel_cnn").modules() if isinstance(m, nn.BatchNorm2d)]
    assert [(n.eps, n.momentum, n.num_features) for n in norms] == [(1e-3, 0.01, 128)] * 2


@pytest.mark.slow
@everywhere
def test_kernels_start_within_glorots_bound_and_biases_at_zero(name: str) -> None:
    network: nn.Module = small(name)
    if isinstance(network, FineTunedNetwork):
        network = network.classifier
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            field = math.prod(module.weight.shape[2:])
            out_in = (module.weight.shape[0] + module.weight.shape[1]) * field
            bound = math.sqrt(6 / out_in)  # Glorot & Bengio 2010, equation 16
            largest = float(module.weight.detach().abs().max())
            assert 0.9 * bound < largest <= 1.000001 * bound  # drawn in float32
            assert module.bias is None or not module.bias.any()


def test_l2_penalty_is_that_of_three_dense_kernels() -> None:
    network = build("parallel_cnn", width=0.1)
    by_name = {n: numpy_of(p) for n, p in network.named_parameters()}
    dense = [v for n, v in by_name.items() if v.ndim == 2 and v.shape[0] != 37]
    assert [v.shape for v in dense] == [(26, 54), (13, 26), (6, 13)]
    expected = 0.01 * sum((v**2).sum() for v in dense)
    assert float(network.regularisation().detach()) == pytest.approx(expected, rel=1e-5)


def test_l2_penalty_leaves_biases_out_and_the_simple_cnn_has_none() -> None:
    network = build("parallel_cnn", width=0.1)
    before = float(network.regularisation().detach())
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            nn.init.ones_(parameter)
    assert float(network.regularisation().detach()) == before
    assert float(build("simple_cnn").regularisation().detach()) == 0


# the forward passes once more, in NumPy and SciPy, written from the published notebooks


def convolved(image: Array, layer: nn.Conv2d, pad: tuple[int, int] = (0, 0)) -> Array:
    image = np.pad(image, ((0, 0), pad, pad))
    kernels, biases = numpy_of(layer.weight), numpy_of(layer.bias)
    planes = [correlate(image, k, mode="valid", method="direct")[0] for k in kernels]
    return np.maximum(np.stack(planes) + biases[:, None, None], 0)


def pooled(image: Array, size: int) -> Array:
    windows = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(1, 2))
    return windows[:, ::2, ::2].max(axis=(3, 4))


def dense(layer: nn.Module, features: Array) -> Array:
    assert isinstance(layer, nn.Linear)
    return numpy_of(layer.weight) @ features + numpy_of(layer.bias)


def normalised(image: Array, norm: nn.Module) -> Array:
    assert isinstance(norm, nn.BatchNorm2d)
    columns = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    gain, shift, mean, variance = (numpy_of(c)[:, None, None] for c in columns)
    return gain * (image - mean) / np.sqrt(variance + 1e-3) + shift


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def simple_forward(network: SimpleCNN, image: Array) -> Array:
    for layer in network.convolutions:
        assert isinstance(layer, nn.Conv2d)
        image = pooled(convolved(image, layer), 2)
    hidden = np.maximum(dense(network.dense, image.ravel()), 0)
    return sigmoid(dense(network.output, hidden))


def parallel_forward(network: ParallelCNN, image: Array) -> Array:
    modules = list(network.modules())
    layers = [m for m in modules if isinstance(m, nn.Conv2d)]
    norms = [m for m in modules if isinstance(m, nn.BatchNorm2d)]
    joined = []
    for pad, path, norm in (((2, 3), layers[:3], norms[0]), ((1, 1), layers[3:6], norms[1])):
        features = image
        for layer in path:
            features = convolved(features, layer, pad)
        joined.append(pooled(normalised(features, norm), 3))
    features = np.concatenate(joined)
    for layer in layers[6:]:
        features = pooled(convolved(features, layer, (1, 1)), 2)
    features = features.ravel()
    for fully_connected in network.dense:
        features = np.maximum(dense(fully_connected, features), 0)
    return sigmoid(dense(network.output, features))


def randomised(network: GalaxyNetwork) -> GalaxyNetwork:
    """In evaluation mode, with biases and moving statistics that are not 0 and 1."""
    for name, values in network.state_dict().items():
        if name.endswith("bias") or "running_mean" in name:
            values.normal_(0, 0.1)
        elif "running_var" in name:
            values.uniform_(0.2, 2)
    for norm in (m for m in network.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
    return network.double().eval()


@pytest.mark.parametrize("name", ["simple_cnn", "parallel_cnn"])
def test_outputs_are_those_of_the_implementation_in_numpy(name: str) -> None:
    network = randomised(build(name, width=0.05))
    image = torch.rand(1, 3, 64, 64, dtype=torch.float64)
    if isinstance(network, SimpleCNN):
        expected = simple_forward(network, numpy_of(image[0]))
    else:
        assert isinstance(network, ParallelCNN)
        expected = parallel_forward(network, numpy_of(image[0]))
    assert expected.std() > 0.01
    np.testing.assert_allclose(numpy_of(network(image)[0]), expected, rtol=1e-9)
