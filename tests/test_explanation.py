"""Explanations: heat lies where the prediction comes from, and equals the published formulas."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from analysis.explanation import Explanation, explain, find_question
from analysis.figures.explanation import explanation_figure, explanation_page
from analysis.held_out import HeldOut
from analysis.receptive_field import Cells, cells_on_image, enlarged_map
from galaxytune.explain_image import explain_image
from search_spaces import config_from_values
from search_spaces.declaration.frozen_config import to_yaml
from trainables.architectures import build_without_weights
from trainables.architectures.vision_transformer import Block, VisionTransformer
from trainables.checkpoint import save_weights
from trainables.decision_tree import NUM_ANSWERS, QUESTIONS, SLICES
from trainables.fine_tuning import FineTunedNetwork
from trainables.galaxies.galaxy_file import Galaxies
from trainables.image_batches import to_images
from trainables.network import GalaxyNetwork
from trainables.prediction import predict

CPU = torch.device("cpu")
ROUNDNESS = QUESTIONS[6]


def build(name: str, **values: Any) -> GalaxyNetwork:
    torch.manual_seed(0)
    return build_without_weights(config_from_values({"architecture": name, **values})).eval()


def small_transformer(**values: Any) -> VisionTransformer:
    network = build("vision_transformer", depth=2, num_heads=2, width=0.25, **values)
    assert isinstance(network, VisionTransformer)
    return network


def blocks(network: VisionTransformer) -> list[Block]:
    return [block for block in network.blocks if isinstance(block, Block)]


def noise(num_images: int = 2, side: int = 64) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (num_images, side, side, 3), dtype=np.uint8)


class SmallCNN(GalaxyNetwork):
    """One convolution [B, 4, 8, 8], ReLU, mean over the map, 37 sigmoids; sees `seen` alone."""

    image_side = 16

    def __init__(self, seen: Tensor | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.seen = torch.ones(16, 16) if seen is None else seen
        self.convolution = nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False)
        self.output = nn.Linear(4, NUM_ANSWERS)

    def forward(self, images: Tensor) -> Tensor:
        mapped = F.relu(self.convolution(images * self.seen))
        return torch.sigmoid(self.output(mapped.mean(dim=(2, 3))))


# questions


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), (" 11 ", 11), ("Spiral Arms", 4), ("spiral", 4), ("bar", 3), ("edge on disk", 2)],
)
def test_a_question_is_found_by_number_name_or_part_of_it(text: str, number: int) -> None:
    assert find_question(text).number == number


@pytest.mark.parametrize("text", ["0", "12", "", "colour", "odd", "edge-on"])
def test_what_is_no_one_question_is_answered_with_the_list(text: str) -> None:
    with pytest.raises(ValueError, match="there are: 1 smooth or featured, .*, 11 number of arms"):
        find_question(text)


# where the heat lies


def test_heat_of_a_cnn_lies_in_the_quadrant_that_it_sees() -> None:
    seen = torch.zeros(16, 16)
    seen[:8, 8:] = 1
    network = SmallCNN(seen)
    nn.init.ones_(network.convolution.weight)
    nn.init.ones_(network.output.weight)
    heat = explain(network, noise(1, 16), ROUNDNESS, CPU)[0].heat
    assert heat[:8, 8:].mean() > 0.5
    assert heat[:, :6].max() == 0 and heat[11:].max() == 0  # cells of 2 pixels see 1 more


def bright_patches(num_images: int, size: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Dark images [N, 64, 64, 3], a patch of `size` pixels bright in every second; its [N, 2]."""
    places = np.random.default_rng(1).integers(0, 64 // size, (num_images, 2))
    pixels = np.zeros((num_images, 64 // size, size, 64 // size, size, 3), dtype=np.uint8)
    pixels[np.arange(num_images), places[:, 0], :, places[:, 1]] = 255
    pixels[::2] = 0
    return pixels.reshape(num_images, 64, 64, 3), places


def share_of_hits(network: GalaxyNetwork, size: int) -> float:
    """How often, after a short training to see bright patches, the hottest patch is the bright."""
    pixels, places = bright_patches(48, size)
    images = to_images(pixels, CPU, 64)
    votes = images.amax(dim=(1, 2, 3))[:, None].expand(-1, NUM_ANSWERS)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(40):
        optimiser.zero_grad()
        F.binary_cross_entropy(network(images), votes).backward()
        optimiser.step()
    explanations = explain(network, pixels[1::2], ROUNDNESS, CPU)
    hottest = [np.unravel_index(e.heat.argmax(), (64, 64)) for e in explanations]
    return float((np.array(hottest) // size == places[1::2]).all(axis=1).mean())


def test_heat_of_a_transformer_lies_on_the_patch_that_its_vote_follows() -> None:
    assert share_of_hits(small_transformer(patch_side=8, dense_dropout=0.0), size=8) > 0.9


def test_so_it_does_where_the_largest_of_all_patches_is_taken() -> None:
    options = {"input_side": 64, "unfreeze": "all", "head_width": 64, "head_dropout": 0.0}
    network = build("timm:test_vit", pooling="max", **options)
    assert share_of_hits(network, size=16) > 0.9


def test_cells_lie_where_the_arithmetic_of_kernels_and_strides_puts_them() -> None:
    # simple_cnn, unpadded: cell j looks at pixels 8 j ... 8 j + 37
    simple = build("simple_cnn", width=0.05)
    assert cells_on_image(simple, simple.explained_layer()) == Cells(18.5, 8)
    # parallel_cnn, last map 7 x 7: of the wider path pixels 8 j - 15 ... 8 j + 26
    parallel = build("parallel_cnn", width=0.02)
    assert cells_on_image(parallel, parallel.explained_layer()) == Cells(5.5, 8)
    padded = SmallCNN()
    assert cells_on_image(padded, padded.explained_layer()) is None


def test_a_map_is_enlarged_between_the_centres_of_its_cells() -> None:
    maps = torch.rand(2, 4, 4)
    even = F.interpolate(maps[:, None], size=(64, 64), mode="bilinear")[:, 0]
    torch.testing.assert_close(enlarged_map(maps, None, 64), even)
    placed = enlarged_map(maps, Cells(18, 8), 64)
    torch.testing.assert_close(placed[:, 18:43:8, 18:43:8], maps)


# the published formulas


def test_grad_cam_is_what_selvaraju_writes() -> None:
    network, pixels = SmallCNN(), noise(3, 16)
    explanations = explain(network, pixels, ROUNDNESS, CPU)
    with torch.no_grad():
        mapped = network.convolution(to_images(pixels, CPU, 16)).numpy()  # [3, 4, 8, 8]
    for image, one in zip(mapped, explanations):
        output = network.output.weight[one.answer].detach().numpy()
        gradient = output[:, None, None] / 64 * (image > 0)  # of the logit
        alpha = gradient.mean(axis=(1, 2))  # equation 1
        cam = np.maximum((alpha[:, None, None] * image).sum(axis=0), 0)  # equation 2
        enlarged = F.interpolate(torch.from_numpy(cam)[None, None], size=16, mode="bilinear")
        expected = enlarged[0, 0].numpy() / enlarged.max().item()
        np.testing.assert_allclose(one.heat, expected, atol=1e-5)
        assert one.method == "Grad-CAM"


def numpy_relevance(network: VisionTransformer, image: Tensor, answer: int) -> NDArray[np.float64]:
    """Relevance [8, 8] of patches for an image [1, 3, 64, 64], block by block."""
    tokens = torch.cat([network.class_token, network.projection(network._patches(image))], dim=1)
    tokens = tokens + network.positions[:65]
    attention = []
    for block in blocks(network):
        layer, normed = block.attention, block.norms[0](tokens)
        query, key, value = (
            part(normed).view(65, 2, 16).permute(1, 0, 2)
            for part in (layer.query, layer.key, layer.value)
        )
        attention.append(torch.softmax(query @ key.transpose(1, 2) / 4, dim=2))  # [2, 65, 65]
        mixed = (attention[-1] @ value).permute(1, 0, 2).reshape(1, 65, 32)
        tokens = tokens + layer.output(mixed)
        tokens = tokens + block.dense[1](F.gelu(block.dense[0](block.norms[1](tokens))))
    features = network.norm(tokens[:, 0])
    for dense in network.dense:
        features = F.gelu(dense(features))
    gradients = torch.autograd.grad(network.output(features)[0, answer], attention)
    relevance = np.eye(65)
    for weights, gradient in zip(attention, gradients):
        positive = np.maximum((gradient * weights).detach().numpy(), 0).mean(axis=0)  # equation 5
        relevance = relevance + positive @ relevance  # equation 6
    return relevance[0, 1:].reshape(8, 8)


def test_attention_relevance_is_what_chefer_writes() -> None:
    network, pixels = small_transformer(patch_side=8, output_activation="none"), noise()
    images = to_images(pixels, CPU, 64)
    for image, one in zip(images, explain(network, pixels, ROUNDNESS, CPU)):
        expected = torch.from_numpy(numpy_relevance(network, image[None], one.answer))
        enlarged = F.interpolate(expected[None, None], size=64, mode="bilinear")[0, 0].numpy()
        np.testing.assert_allclose(one.heat, enlarged / enlarged.max(), atol=1e-4)
        assert one.method == "attention relevance"


# every kind of network


@pytest.mark.parametrize(
    ("name", "values", "method"),
    [
        ("simple_cnn", {}, "Grad-CAM"),
        ("parallel_cnn", {"width": 0.25}, "Grad-CAM"),
        ("resnet50", {"input_side": 64}, "Grad-CAM"),
        ("vgg16", {"input_side": 64}, "Grad-CAM"),
        ("vision_transformer", {"width": 0.25}, "attention relevance"),
        ("timm:convnext_tiny", {"input_side": 64}, "Grad-CAM"),
        ("timm:mobilevitv2_100", {"input_side": 64}, "Grad-CAM"),
        ("timm:vit_tiny_patch16_224", {"input_side": 64}, "attention relevance"),
        ("timm:swin_tiny_patch4_window7_224", {}, "Grad-CAM"),
        ("timm:xcit_nano_12_p16_224", {"input_side": 64}, "Grad-CAM"),  # over channels
    ],
)
def test_every_kind_of_network_is_explained_and_left_as_it_was(
    name: str, values: dict[str, Any], method: str
) -> None:
    network = build(name, **values).train()
    found = [(m.training, getattr(m, "fused_attn", None)) for m in network.modules()]
    explanations = explain(network, noise(), ROUNDNESS, CPU)
    assert {e.method for e in explanations} == {method}
    for one in explanations:
        assert one.heat.shape == (network.image_side, network.image_side)
        assert one.heat.dtype == np.float32 and np.isfinite(one.heat).all()
        assert 0 <= one.heat.min() and one.heat.max() in (0, 1)
    assert found == [(m.training, getattr(m, "fused_attn", None)) for m in network.modules()]
    assert all(p.grad is None for p in network.parameters())
    assert not any(len(module._forward_hooks) for module in network.modules())
    if isinstance(network, FineTunedNetwork):
        assert not any(p.requires_grad for p in network.backbone.parameters())


def test_the_explained_answer_is_the_one_predicted_most() -> None:
    network = build("simple_cnn", width=0.1)
    predicted = predict(network, noise(5), CPU)
    for question, answers in zip(QUESTIONS, SLICES):
        found = [e.answer for e in explain(network, noise(5), question, CPU)]
        assert found == list(answers.start + predicted[:, answers].argmax(axis=1))


def test_an_explanation_is_the_same_in_any_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    network, pixels = small_transformer(), noise(3)
    together = explain(network, pixels, ROUNDNESS, CPU)
    monkeypatch.setattr("analysis.explanation._BATCH_PIXELS", 1)
    for one, alone in zip(together, explain(network, pixels, ROUNDNESS, CPU)):
        np.testing.assert_allclose(one.heat, alone.heat, atol=1e-4)


@pytest.mark.parametrize("bias", [0.0, 100.0])
def test_no_gradient_gives_a_map_of_zeros(bias: float) -> None:
    for network in (SmallCNN(), small_transformer()):
        nn.init.zeros_(network.output.weight)
        nn.init.constant_(network.output.bias, bias)
        one = explain(network, noise(1, network.image_side), ROUNDNESS, CPU)[0]
        assert not one.heat.any()


def test_an_error_leaves_the_attention_fused() -> None:
    network = small_transformer()
    last = blocks(network)[-1]  # fails once its attention is watched, not when it predicts
    broken = last.register_forward_hook(lambda *_: None if last.attention.fused_attn else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        explain(network.train(), noise(), ROUNDNESS, CPU)
    broken.remove()
    assert all(block.attention.fused_attn and block.training for block in blocks(network))
    assert not any(len(module._forward_hooks) for module in network.modules())


# pictures


def words(figure: Any) -> str:
    panels = [
        (a.get_title(), a.get_xlabel(), *(t.get_text() for t in a.texts)) for a in figure.axes
    ]
    ticks = [t.get_text() for a in figure.axes for t in a.get_yticklabels()]
    return " ".join([figure.get_suptitle(), *(t for panel in panels for t in panel), *ticks])


def test_a_figure_says_what_was_asked_and_what_is_explained() -> None:
    predicted = np.linspace(0, 1, NUM_ANSWERS)
    heat = np.eye(64, dtype=np.float32)
    figure = explanation_figure(
        noise(1)[0],
        Explanation(heat, 17, "Grad-CAM"),
        predicted,
        question=ROUNDNESS,
        label="simple_cnn, trial 00003",
    )
    text = words(figure)
    for part in ("simple_cnn, trial 00003", "question 7: roundness", "most predicted votes"):
        assert part in text
    assert "“cigar”, by Grad-CAM" in text and "in between" in text and "0.47" in text
    assert "0 throughout" not in text


def test_a_figure_of_an_empty_map_says_so() -> None:
    heat = np.zeros((64, 64), dtype=np.float32)
    one, question = Explanation(heat, 17, "Grad-CAM"), ROUNDNESS
    predicted = np.zeros(NUM_ANSWERS)
    figure = explanation_figure(noise(1)[0], one, predicted, question=question, label="x")
    assert "0 throughout" in words(figure)


def test_a_page_shows_every_galaxy_with_every_question(toys: Galaxies) -> None:
    network = small_transformer()
    images, voted = toys.images[:8], toys.target[:8]
    predicted = predict(network, images, CPU, np.arange(8))
    held_out = HeldOut("vit, trial 1", toys.ids[:8], images, voted, predicted)
    figure = explanation_page(held_out, network, CPU, questions=QUESTIONS[:2], rows=[5, 2])
    assert len(figure.axes) == 2 * 3 + 1  # and the colour bar
    text = words(figure)
    for part in ("vit, trial 1", "attention relevance", "question 2\nedge-on disk"):
        assert part in text
    best = predicted[5, :3].argmax()
    name = QUESTIONS[0].answers[best]
    assert f"{name}\n{predicted[5, best]:.2f} | {voted[5, best]:.2f}" in text
    assert str(toys.ids[5]) in text and str(toys.ids[3]) not in text


def test_a_page_chooses_its_galaxies_by_their_votes(toys: Galaxies) -> None:
    network = small_transformer()
    predicted = predict(network, toys.images, CPU)
    held_out = HeldOut("vit", toys.ids, toys.images, toys.target, predicted)
    text = words(explanation_page(held_out, network, CPU, questions=QUESTIONS[:1]))
    assert str(toys.ids[toys.target[:, 15].argmax()]) in text  # the roundest
    assert text.count("galaxy\n") == 6


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export folder of an untrained simple CNN for images of 48 of 60 pixels."""
    folder = tmp_path_factory.mktemp("export")
    config = config_from_values({"architecture": "simple_cnn", "width": 0.1})
    (folder / "config.yaml").write_text(to_yaml(config))
    save_weights(folder / "model.safetensors", build("simple_cnn", width=0.1).state_dict())
    provenance = {"preprocessing": {"crop": 48, "side": 64}}
    (folder / "provenance.json").write_text(json.dumps(provenance))
    return folder


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("image") / "galaxy.png"
    Image.fromarray(noise(1, 60)[0]).save(path)
    return path


@pytest.mark.parametrize(
    ("name", "magic"),
    [
        ("a/heat.png", b"\x89PNG"),
        ("heat.pdf", b"%PDF"),
        ("HEAT.PNG", b"\x89PNG"),
        ("heat.Pdf", b"%PDF"),
    ],
)
def test_an_image_file_is_explained_in_a_picture_and_a_line(
    export: Path, image: Path, tmp_path: Path, name: str, magic: bytes
) -> None:
    line = explain_image(export, image, "roundness", tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(magic)
    assert line.startswith("question 7, roundness: ") and "Grad-CAM" in line
    assert "\n" not in line and str(tmp_path / name) in line
    assert [p for p in tmp_path.rglob(".*")] == []


def test_what_cannot_be_explained_is_answered_in_one_line(
    export: Path, image: Path, tmp_path: Path
) -> None:
    text, out = tmp_path / "notes.png", tmp_path / "out.png"
    text.write_text("no image")
    tiny = tmp_path / "tiny.png"
    Image.new("RGB", (20, 20)).save(tiny)
    for arguments, reason in (
        ((export, image, "colour", out), "no question 'colour'; there are: 1 smooth or"),
        ((export, image, "7", tmp_path / "out.jpg"), ".png or .pdf, not 'out.jpg'"),
        ((export, tmp_path / "none.png", "7", out), "no image file"),
        ((export, text, "7", out), "notes.png: not a readable image"),
        ((export, tiny, "7", out), "tiny.png: 20x20 pixels is smaller"),
        ((tmp_path, image, "7", out), "is no export folder"),
    ):
        with pytest.raises(ValueError) as caught:
            explain_image(*arguments)
        assert reason in str(caught.value) and "\n" not in str(caught.value)
    assert not out.exists()
