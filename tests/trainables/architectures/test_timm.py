"""Backbones of timm: each family makes a map in stages and trains, or is refused in one line."""

from typing import Any

import pytest
import torch

from search_spaces.declaration import InvalidInput, config_from_values
from tests.support.networks import fine_tuned
from trainables.architectures import check_network
from trainables.galaxies.galaxy_file import Galaxies
from trainables.galaxies.split import split_galaxies
from trainables.training.training_run import TrainingRun


@pytest.mark.parametrize("name", ["xcit_nano_12_p16_224", "cait_xxs24_224"])
def test_a_class_token_that_the_map_leaves_out_counts_as_nothing_to_train(name: str) -> None:
    built = fine_tuned(f"timm:{name}", unfreeze="last_stage", head_width=8)
    state = dict(built.named_parameters())
    built(torch.rand(2, 3, 32, 32)).square().sum().backward()
    trained = {n: p for n, p in state.items() if p.requires_grad and n.startswith("backbone")}
    assert sum(p.ndim > 1 for p in trained.values()) >= 4  # of attention and of its MLP
    assert all(p.grad is not None and p.grad.any() for p in trained.values())


@pytest.mark.parametrize(
    ("name", "body"), [("mobilenetv3_small_050", "blocks"), ("test_mambaout", "stages")]
)
def test_a_timm_models_last_stage_is_more_than_its_head(name: str, body: str) -> None:
    built = fine_tuned(f"timm:{name}", unfreeze="last_stage")
    assert any(n.startswith(f"model.{body}.") for n in built.stages[-1])


OTHER_FAMILIES = [
    "efficientvit_b0",  # refuses to go without pooling
    "deit_tiny_distilled_patch16_224",  # averages two class tokens
    "coat_lite_tiny",  # refuses the same, and has class tokens it does not tell of
    "poolformer_s12",  # has no groups
    "rdnet_tiny",  # refuses coarse groups
]


@pytest.mark.parametrize("name", OTHER_FAMILIES)
def test_families_that_refuse_something_make_a_map_in_stages(name: str) -> None:
    built = fine_tuned(f"timm:{name}", input_side=64)
    mapped = built.backbone(torch.rand(2, 3, 64, 64))
    assert mapped.ndim == 4 and mapped.shape[1] == built.classifier.hidden.in_features
    listed = [n for stage in built.stages for n in stage]
    assert sorted(listed) == sorted(n for n, _ in built.backbone.named_parameters())
    assert len(built.stages) >= 3


@pytest.mark.slow
def test_attention_biases_that_timm_keeps_are_forgotten_on_loading() -> None:
    images = torch.rand(1, 3, 64, 64)
    first, second = (
        fine_tuned("timm:tiny_vit_5m_224", input_side=64, head_width=8).eval() for _ in range(2)
    )
    with torch.no_grad():
        for name, parameter in second.named_parameters():
            if "attention_biases" in name:
                parameter.normal_(0, 5)
        before = first.features(images)
        first.load_state_dict(second.state_dict())
        assert not torch.equal(first.features(images), before)
        assert torch.equal(first.features(images), second.features(images))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["timm:test_convnext", "timm:mobilevitv2_050", "timm:test_vit"])
def test_families_of_timm_train_for_some_steps(name: str, toys: Galaxies) -> None:
    values = {"unfreeze": "all", "weights": "none", "input_side": 32, "batch_size": 32}
    config = config_from_values({"architecture": name, "learning_rate": 1e-4, **values})
    run = TrainingRun(config, toys, split_galaxies(toys, "seed"), torch.device("cpu"))
    first, second = run.run_epoch(), run.run_epoch()  # four steps each
    assert second.train_rmse < first.train_rmse
    assert second.learning_rate == 1e-4


def test_an_unknown_timm_name_is_told_the_nearest() -> None:
    with pytest.raises(InvalidInput, match="no model 'convnext_tinny'; did you mean"):
        fine_tuned("timm:convnext_tinny")


def test_a_side_that_a_timm_model_cannot_take_is_refused_in_one_line() -> None:
    told = "timm's test_maxvit makes no map of images of 50 pixels: "
    with pytest.raises(InvalidInput, match=told) as error:
        fine_tuned("timm:test_maxvit", input_side=50)
    assert "\n" not in str(error.value)


def check(name: str, **values: Any) -> None:
    check_network(config_from_values({"architecture": name, "weights": "none", **values}))


def test_a_wrong_tag_is_told_the_nearest_before_anything_runs() -> None:
    with pytest.raises(InvalidInput, match="no weights 'resnet18.a1_in1'; did you mean .*a1_in1k"):
        check("timm:resnet18.a1_in1")
    with pytest.raises(InvalidInput, match="no weights 'test_vit.bogus'; there are: test_vit"):
        check("timm:test_vit.bogus")


@pytest.mark.slow
def test_a_timm_model_that_cannot_be_a_backbone_is_refused_before_anything_runs() -> None:
    with pytest.raises(InvalidInput, match="timm's test_maxvit makes no map") as error:
        check("timm:test_maxvit", input_side=50)
    with pytest.raises(InvalidInput, match="timm's nest_tiny cannot be built: ") as error:
        check("timm:nest_tiny", input_side=50)
    assert "\n" not in str(error.value)
