"""The weights of a backbone are found under any prefix, and a file that does not fit is told."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from search_spaces.declaration import InvalidInput
from trainables.backbones.pretrained_weights import fill

State = dict[str, Tensor]


def backbone(seed: int = 0, channels: int = 3) -> nn.Sequential:
    """A backbone with the names `stem.*` and `layers.0.*`."""
    torch.manual_seed(seed)
    model = nn.Sequential()
    model.add_module("stem", nn.Conv2d(channels, 4, 3))
    model.add_module("layers", nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1)))
    return model


def below(prefix: str, state: State) -> State:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


def filled(state: State, **how: tuple[str, ...]) -> State:
    model = backbone(seed=5)
    fill(model, state, source="w.pth", **how)
    return dict(model.state_dict())


def same(some: State, others: State) -> bool:
    return all(torch.equal(some[name], others[name]) for name in others)


PREFIXES = [
    "",
    "module.",
    "_orig_mod.",
    "module._orig_mod.",
    "model.",
    "backbone.",
    "net.",
    "network.",
    "encoder.module.",
    "state_dict.model.0.",
    "model_state_dict.module.",
    "teacher.backbone.",
    "hyper.anything.at.all.",
]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("head", [{}, {"fc.weight": torch.ones(7, 4), "fc.bias": torch.ones(7)}])
def test_any_prefix_and_any_classifier_will_do(prefix: str, head: State) -> None:
    state = dict(backbone().state_dict())
    assert same(filled(below(prefix, state | head)), state)


def test_what_else_a_checkpoint_holds_does_not_matter() -> None:
    state = dict(backbone().state_dict())
    moments = below("optimizer.state.0.", {"exp_avg": torch.ones(3)})
    others = {"n_averaged": torch.tensor(3), "loss.weight": torch.ones(4)}
    assert same(filled(below("state_dict.module.", state) | moments | others), state)


@pytest.mark.parametrize("average", ["model_ema.module.", "state_dict_ema.", "ema.", "ema_model."])
def test_an_average_goes_before_the_last_weights(average: str) -> None:
    last, mean = dict(backbone(0).state_dict()), dict(backbone(1).state_dict())
    assert same(filled(below("model.", last) | below(average, mean)), mean)


def test_two_networks_in_a_file_are_named() -> None:
    state = below("student.", dict(backbone(0).state_dict()))
    state |= below("teacher.", dict(backbone(1).state_dict()))
    with pytest.raises(InvalidInput, match=r"with the prefixes student\. and teacher\.;"):
        filled(state)


def test_copies_of_the_same_weights_are_no_doubt() -> None:
    state = dict(backbone().state_dict())
    assert same(filled(below("encoder.", state) | below("model.0.", state)), state)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_precision_are_read(dtype: torch.dtype) -> None:
    state = {
        n: t.to(dtype) if t.is_floating_point() else t for n, t in backbone().state_dict().items()
    }
    found = filled(state)
    assert found["stem.weight"].dtype == torch.float32
    assert torch.equal(found["stem.weight"].to(dtype), state["stem.weight"])


def without(name: str) -> Callable[[State], None]:
    return lambda state: state.__delitem__(name)


def with_entry(name: str, tensor: Tensor) -> Callable[[State], None]:
    return lambda state: state.update({name: tensor})


WRONG = {
    "a missing weight": (without("stem.bias"), r"1 missing \(stem.bias\)"),
    "missing statistics": (without("layers.0.running_var"), r"1 missing \(layers.0.running_var\)"),
    "a further layer": (
        with_entry("layers.2.weight", torch.ones(4)),
        r"1 unexpected \(layers.2.weight\)",
    ),
    "a part of another network": (
        with_entry("norm_pre.weight", torch.ones(4)),
        r"1 unexpected \(norm_pre.weight\)",
    ),
    "another shape": (
        with_entry("stem.weight", torch.ones(4, 5, 3, 3)),
        r"1 of another shape or type \(stem.weight: \[4, 5, 3, 3\] float32, not \[4, 3, 3, 3\]",
    ),
    "whole numbers": (
        with_entry("stem.bias", torch.ones(4, dtype=torch.int8)),
        r"stem.bias: \[4\] int8, not \[4\] float32",
    ),
    "NaN": (with_entry("stem.bias", torch.full((4,), torch.nan)), "NaN or infinite, in 1 of"),
    "infinity": (with_entry("layers.0.running_var", torch.full((4,), torch.inf)), "NaN or inf"),
}


@pytest.mark.parametrize("prefix", ["", "model.encoder."])
@pytest.mark.parametrize("wrong", WRONG)
def test_weights_that_do_not_fit_are_refused_with_names(wrong: str, prefix: str) -> None:
    change, told = WRONG[wrong]
    state = dict(backbone().state_dict())
    change(state)
    with pytest.raises(InvalidInput, match=told) as error:
        filled(below(prefix, state))
    assert "\n" not in str(error.value)


def test_a_long_list_is_cut() -> None:
    with pytest.raises(
        InvalidInput, match=r"5 missing \(stem.bias, layers.0.weight, .*, \.\.\.\)"
    ):
        filled(
            {
                n: t
                for n, t in backbone().state_dict().items()
                if n in ("stem.weight", "layers.1.weight", "layers.1.bias")
            }
        )


def test_a_file_of_something_else_shows_its_first_names() -> None:
    with pytest.raises(InvalidInput, match=r"none of its 1 entries .* \(the first are a\.b\)"):
        filled({"a.b": torch.ones(1)})


def test_kernels_for_greyscale_images_see_the_mean_of_the_colours() -> None:
    grey, images = backbone(channels=1), torch.rand(2, 3, 8, 8)
    model = backbone(seed=5)
    with pytest.warns(UserWarning, match="stem.weight is for greyscale images"):
        fill(model, grey.state_dict(), source="w.pth")
    seen = grey.eval()(images.mean(dim=1, keepdim=True))
    assert torch.allclose(model.eval()(images), seen, atol=1e-6)
