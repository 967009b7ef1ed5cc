"""Networks that begin from an earlier export: its weights arrive, or one line says why not."""

from pathlib import Path
from typing import Any

import pytest
import torch

from search_spaces.declaration import InvalidInput, Notice, config_from_values, to_yaml
from search_spaces.declaration.search_space import pack_refusal
from trainables.architectures import build_network, build_without_weights, check_network
from trainables.files import save_weights
from trainables.galaxies.galaxy_file import Galaxies
from trainables.galaxies.split import split_galaxies
from trainables.layers import GalaxyNetwork
from trainables.packs import PackedTraining
from trainables.training.training_run import TrainingRun

TINY: dict[str, dict[str, Any]] = {
    "simple_cnn": {"width": 0.1},
    "parallel_cnn": {"width": 0.03},
    "residual_cnn": {"width": 0.1, "depth": 1},
    "vision_transformer": {"width": 0.1, "depth": 1, "num_heads": 1},
    "vgg16": {"weights": "none", "input_side": 32, "head_width": 4},
    "resnet50": {"weights": "none", "input_side": 32, "head_width": 4},
    "timm:test_resnet": {"weights": "none", "input_side": 32, "head_width": 4},
}


def exported(folder: Path, architecture: str = "simple_cnn", **values: Any) -> GalaxyNetwork:
    """Write the config and the weights of a network as an export holds them; return it."""
    config = config_from_values({"architecture": architecture, **TINY[architecture], **values})
    torch.manual_seed(5)
    network = build_network(config)
    with torch.no_grad():
        for parameter in network.parameters():  # biases begin at 0 in every network
            parameter.add_(torch.randn_like(parameter), alpha=0.01)
    folder.mkdir()
    (folder / "config.yaml").write_text(to_yaml(config))
    save_weights(folder / "model.safetensors", network.state_dict())
    return network


def begun(folder: Path, architecture: str = "simple_cnn", **values: Any) -> GalaxyNetwork:
    """The network of a config that begins from the folder, built with another seed."""
    torch.manual_seed(6)
    given = {"architecture": architecture, **TINY[architecture], "begin_from": str(folder)}
    return build_network(config_from_values({**given, **values}))


def same_tensors(one: GalaxyNetwork, other: GalaxyNetwork) -> set[str]:
    """The names of the tensors that are equal in two networks of one form."""
    return {n for n, t in one.state_dict().items() if torch.equal(t, other.state_dict()[n])}


@pytest.mark.slow
@pytest.mark.parametrize("architecture", TINY)
def test_every_architecture_begins_with_all_weights_of_its_export(
    architecture: str, tmp_path: Path
) -> None:
    first = exported(tmp_path / "first", architecture)
    more = {"weights": "imagenet"} if "weights" in TINY[architecture] else {}  # not looked for
    found = begun(tmp_path / "first", architecture, **more)
    assert same_tensors(first, found) == set(first.state_dict())
    assert found.has_trained_output


def test_another_head_begins_anew_and_says_so(tmp_path: Path) -> None:
    first = exported(tmp_path / "first", head="sigmoid")
    with pytest.warns(Notice, match="begins anew, because .*first has the head sigmoid and the "):
        found = begun(tmp_path / "first", head="tree_softmax")
    new = set(first.state_dict()) - same_tensors(first, found)
    assert {name.rpartition(".")[2] for name in new} == {"weight", "bias"} and len(new) == 2
    assert not found.has_trained_output


@pytest.mark.filterwarnings("ignore:begin_from. the last layer begins anew")
@pytest.mark.parametrize("head", ["sigmoid", "tree_softplus"])
def test_the_mean_votes_set_a_new_last_layer_alone(
    head: str, toys: Galaxies, tmp_path: Path
) -> None:
    first = exported(tmp_path / "first", head="sigmoid")
    given = {"architecture": "simple_cnn", **TINY["simple_cnn"], "begin_from": f"{tmp_path}/first"}
    config = config_from_values({**given, "head": head, "output_bias": "votes"})
    run = TrainingRun(config, toys, split_galaxies(toys, "seed"), torch.device("cpu"))
    last = [m for m in run.network.modules() if isinstance(m, torch.nn.Linear)][-1]
    before = [m for m in first.modules() if isinstance(m, torch.nn.Linear)][-1]
    assert torch.equal(last.bias, before.bias) == (head == "sigmoid")
    assert torch.equal(last.weight, before.weight) == (head == "sigmoid")


def no_config(folder: Path) -> None:
    (folder / "config.yaml").unlink()


def cut(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-9])


def diverged(folder: Path) -> None:
    network = build_network(config_from_values({"architecture": "simple_cnn", "width": 0.1}))
    state = network.state_dict()
    next(iter(state.values())).view(-1)[0] = torch.nan
    save_weights(folder / "model.safetensors", state)


def further(folder: Path) -> None:
    network = build_network(config_from_values({"architecture": "simple_cnn", "width": 0.1}))
    state = {**network.state_dict(), "more.weight": torch.zeros(2)}
    save_weights(folder / "model.safetensors", state)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (no_config, "first is no export folder: it lacks config.yaml$"),
        (cut, "model.safetensors is not a whole safetensors file"),
        (diverged, "holds numbers that are NaN or infinite"),
        (further, "holds a network with another form: more.weight is unknown"),
    ],
)
def test_an_export_that_is_not_whole_is_refused_in_one_line(
    damage: Any, told: str, tmp_path: Path
) -> None:
    exported(tmp_path / "first")
    damage(tmp_path / "first")
    with pytest.raises(InvalidInput, match=told) as error:
        begun(tmp_path / "first")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("architecture", "values", "told"),
    [
        ("simple_cnn", {"width": 0.2}, r"holds a network with width=0.1, not 0.2: .* is \["),
        ("residual_cnn", {}, "first holds a simple_cnn, and a residual_cnn cannot begin from"),
        ("simple_cnn", {"begin_from": "nowhere"}, "nowhere is no export folder: there is no such"),
    ],
)
def test_an_export_of_another_network_is_refused_by_the_check(
    architecture: str, values: dict[str, Any], told: str, tmp_path: Path
) -> None:
    exported(tmp_path / "first")
    given = {"architecture": architecture, **TINY[architecture], "begin_from": f"{tmp_path}/first"}
    with pytest.raises(InvalidInput, match=told):
        check_network(config_from_values({**given, **values}))


def test_a_file_of_an_export_is_refused(tmp_path: Path) -> None:
    exported(tmp_path / "first")
    with pytest.raises(InvalidInput, match="is a file; give the folder of an export"):
        begun(tmp_path / "first" / "model.safetensors")


def test_a_network_without_weights_needs_no_earlier_export() -> None:
    values = {"architecture": "simple_cnn", "width": 0.1, "begin_from": "/gone"}
    assert not build_without_weights(config_from_values(values)).has_trained_output


def test_a_frozen_backbone_stays_as_the_export_has_it(toys: Galaxies, tmp_path: Path) -> None:
    name = "timm:test_resnet"
    first = exported(tmp_path / "first", name)
    values = {**TINY[name], "begin_from": f"{tmp_path}/first", "unfreeze": "last_stage"}
    config = config_from_values({"architecture": name, "epochs": 1, **values})
    run = TrainingRun(config, toys, split_galaxies(toys, "seed"), torch.device("cpu"))
    run.run_epoch()
    frozen = run.network.frozen_names()
    assert frozen and frozen <= same_tensors(first, run.network) < set(first.state_dict())


def test_the_members_of_a_pack_may_begin_from_different_exports(
    toys: Galaxies, tmp_path: Path
) -> None:
    exported(tmp_path / "first")
    values = {"architecture": "simple_cnn", "width": 0.1, "epochs": 1, "precision": "float32"}
    configs = [
        config_from_values(values),
        config_from_values({**values, "begin_from": f"{tmp_path}/first"}),
    ]
    assert pack_refusal(configs) is None
    split = split_galaxies(toys, "seed")

    def start() -> list[TrainingRun]:
        """Runs of both configs."""
        return [TrainingRun(c, toys, split, torch.device("cpu")) for c in configs]

    alone = [run.run_epoch().val_rmse for run in start()]
    together = [run.reports[-1].val_rmse for run, _ in PackedTraining(start()).run_epoch()]
    assert together == pytest.approx(alone, abs=1e-4) and alone[0] != alone[1]
