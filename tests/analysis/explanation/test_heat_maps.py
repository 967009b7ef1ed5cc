"""Heat maps: heat lies where the prediction comes from, whatever the network."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from analysis.explanation import heat_maps
from analysis.explanation.heat_maps import explain, find_question
from search_spaces.declaration import InvalidInput
from tests.support.memory import gpu_is_full
from tests.support.networks import SmallCNN, noise, small_transformer, untrained
from trainables.backbones.fine_tuning import FineTunedNetwork
from trainables.decision_tree import NUM_ANSWERS, QUESTIONS, SLICES
from trainables.galaxies.image_batches import to_images
from trainables.layers.network import GalaxyNetwork
from trainables.training.ensemble_network import EnsembleNetwork
from trainables.training.prediction import predict

CPU = torch.device("cpu")
ROUNDNESS = QUESTIONS[6]


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), (" 11 ", 11), ("Spiral Arms", 4), ("spiral", 4), ("bar", 3), ("edge on disk", 2)],
)
def test_a_question_is_found_by_number_name_or_part_of_it(text: str, number: int) -> None:
    assert find_question(text).number == number


@pytest.mark.parametrize("text", ["0", "12", "-1", "1.0", "", "colour", "odd", "edge-on"])
def test_what_is_no_one_question_is_answered_with_the_list(text: str) -> None:
    with pytest.raises(InvalidInput, match="there are: 1 smooth or featured, .*, 11 number"):
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
    """Return how often the hottest patch is the bright one, after a short training to see it."""
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


@pytest.mark.slow
def test_heat_of_a_transformer_lies_on_the_patch_that_its_vote_follows() -> None:
    assert share_of_hits(small_transformer(patch_side=8, dense_dropout=0.0), size=8) > 0.9


@pytest.mark.slow
def test_so_it_does_where_the_largest_of_all_patches_is_taken() -> None:
    options = {"input_side": 64, "unfreeze": "all", "head_width": 64, "head_dropout": 0.0}
    network = untrained("timm:test_vit", pooling="max", **options)
    assert share_of_hits(network, size=16) > 0.9


# the published formula


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


# every kind of network


@pytest.mark.slow
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
    network = untrained(name, **values).train()
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
    network = untrained("simple_cnn", width=0.1)
    predicted = predict(network, noise(5), CPU)
    for question, answers in zip(QUESTIONS, SLICES):
        found = [e.answer for e in explain(network, noise(5), question, CPU)]
        assert found == list(answers.start + predicted[:, answers].argmax(axis=1))


def test_an_explanation_is_the_same_in_any_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    network, pixels = small_transformer(), noise(3)
    together = explain(network, pixels, ROUNDNESS, CPU)
    monkeypatch.setattr("analysis.explanation.heat_maps._BATCH_PIXELS", 1)
    for one, alone in zip(together, explain(network, pixels, ROUNDNESS, CPU)):
        np.testing.assert_allclose(one.heat, alone.heat, atol=1e-4)


@pytest.mark.parametrize("bias", [0.0, 100.0])
def test_no_gradient_gives_a_map_of_zeros(bias: float) -> None:
    for network in (SmallCNN(), small_transformer()):
        nn.init.zeros_(network.output.weight)
        nn.init.constant_(network.output.bias, bias)
        one = explain(network, noise(1, network.image_side), ROUNDNESS, CPU)[0]
        assert not one.heat.any()


def test_too_little_memory_halves_the_images_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    network, pixels = untrained("simple_cnn", width=0.1), noise(5)
    roomy = explain(network, pixels, ROUNDNESS, CPU)
    whole, tried = heat_maps._maps, []

    def cramped(network: GalaxyNetwork, images: Tensor, answers: Tensor) -> Any:
        tried.append(len(images))
        return whole(network, images, answers) if len(images) <= 2 else gpu_is_full()

    monkeypatch.setattr(heat_maps, "_maps", cramped)
    assert tried == []
    for one, other in zip(roomy, explain(network, pixels, ROUNDNESS, CPU), strict=True):
        np.testing.assert_allclose(one.heat, other.heat, atol=1e-4)
    assert max(tried) == 5 and tried[-3:] == [2, 2, 1]


def test_no_image_has_no_explanation() -> None:
    assert explain(untrained("simple_cnn", width=0.1), noise(2)[:0], ROUNDNESS, CPU) == []


def test_the_heat_of_an_ensemble_is_the_weighted_mean_of_its_members() -> None:
    members = [untrained("simple_cnn", width=0.1), small_transformer()]
    ensemble = EnsembleNetwork(members, [3, 1], 64).eval()
    (whole,) = explain(ensemble, noise(1), ROUNDNESS, CPU)
    assert whole.method == "Grad-CAM and attention relevance"
    alone = [explain(member, noise(1), ROUNDNESS, CPU)[0] for member in members]
    assert all(one.answer == whole.answer and one.heat.max() == 1 for one in alone)
    total = 0.75 * alone[0].heat + 0.25 * alone[1].heat
    np.testing.assert_allclose(whole.heat, total / total.max(), atol=1e-5)


def test_the_heat_of_a_member_lies_in_the_part_that_the_member_sees() -> None:
    member = untrained("simple_cnn", width=0.1, field_fraction=0.8)
    ensemble = EnsembleNetwork([member], [1], 80).eval()
    pixels = noise(1, 80)
    (alone,), (whole,) = (explain(n, pixels, ROUNDNESS, CPU) for n in (member, ensemble))
    assert alone.heat.shape == (64, 64) and alone.heat.max() == 1
    np.testing.assert_array_equal(whole.heat, np.pad(alone.heat, 8))


def test_an_ensemble_is_explained_for_its_own_answer_at_its_own_size() -> None:
    members = [untrained("simple_cnn", width=0.1), small_transformer()]
    ensemble = EnsembleNetwork(members, [3, 1], 80).eval()
    pixels = noise(1, 80)
    question = QUESTIONS[0]
    of_members = {explain(member, pixels, question, CPU)[0].answer for member in members}
    assert len(of_members) == 2
    (whole,) = explain(ensemble, pixels, question, CPU)
    answers = SLICES[0]
    fractions = predict(ensemble, pixels, CPU)[0, answers]
    assert whole.answer == answers.start + fractions.argmax()
    assert whole.heat.shape == (80, 80) and whole.heat.max() == 1
