"""The options that follow from the keys of a plan: all of them, with help, and each arrives."""

import inspect
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest
import typer

from galaxytune.cli.app import app
from galaxytune.cli.options import whole_path
from galaxytune.cli.plan_options import parse_settings, plan_from_options, takes_plan_keys
from galaxytune.plan.study_plan import CHANGEABLE, StudyPlan
from search_spaces.declaration.errors import InvalidInput

NEEDED = ["--name", "s", "--data", "x.npz", "--epochs", "9"]
SIMPLE = ["--architecture", "simple_cnn"]
TRIALS = ["--trials", "9"]

# What is given for each key of a plan, and the value that the plan is to have.
GIVEN: dict[str, tuple[list[str], Any]] = {
    "name": (["--name", "other"], "other"),
    "architectures": (["--architecture", "parallel_cnn", "--architecture", "simple_cnn"],
                      ("parallel_cnn", "simple_cnn")),
    "data": (["--data", "y.npz"], "y.npz"),
    "trials": (["--trials", "7"], 7),
    "epochs": (["--epochs", "3"], 3),
    "seed": (["--seed", "5"], 5),
    "split": (["--split", "seed"], "seed"),
    "num_galaxies": (["--num-galaxies", "50"], 50),
    "as_published": (["--as-published"], True),
    "set": (["--set", "batch_size=32", "--set", "simple_cnn.flips=true"],
            {"batch_size": 32, "simple_cnn.flips": True}),
    "search_only": (["--search-only", "learning_rate", "--search-only", "dropout"],
                    ("learning_rate", "dropout")),
    "learn_from": (["--learn-from", "first", "--learn-from", "second"], ("first", "second")),
    "grid": (["--grid", "seed=[0, 1]", "--grid", "dropout=[0.1]"],
             ({"seed": [0, 1], "dropout": [0.1]},)),
    "cpus_per_trial": (["--cpus-per-trial", "0.5"], 0.5),
    "gpus_per_trial": (["--gpus-per-trial", "0.25"], 0.25),
    "max_hours": (["--max-hours", "1.5"], 1.5),
    "max_device_hours": (["--max-device-hours", "2"], 2.0),
    "target_rmse": (["--target-rmse", "0.08"], 0.08),
    "plateau_trials": (["--plateau-trials", "11"], 11),
    "max_silence_minutes": (["--max-silence-minutes", "0.5"], 0.5),
    "max_retries": (["--max-retries", "0"], 0),
    "objective": (["--objective", "rmse_and_residual"], "rmse_and_residual"),
    "max_tree_residual": (["--max-tree-residual", "0.02"], 0.02),
    "keep_checkpoints": (["--keep-checkpoints", "2"], 2),
    "checkpoint_quota_gb": (["--checkpoint-quota-gb", "0.75"], 0.75),
    "wandb": (["--wandb", "disabled"], "disabled"),
    "halving": (["--no-halving"], False),
    "reduction_factor": (["--reduction-factor", "4"], 4),
    "pack": (["--pack", "3"], 3),
    "grace_epochs": (["--grace-epochs", "2"], 2),
    "seed_share": (["--seed-share", "0"], 0.0),
}  # fmt: skip


def changes_of(arguments: Sequence[str], keys: Sequence[str]) -> dict[str, Any]:
    """What a command with the options of these keys is given."""
    found: dict[str, Any] = {}
    own = typer.Typer()

    @own.command()
    @takes_plan_keys(keys)
    def look(*, changes: dict[str, Any]) -> None:
        found.update(changes)

    own(list(arguments), standalone_mode=False)
    return found


def options_of(command: str) -> dict[str, Any]:
    """The options of one of our commands, by the name of their value."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return {p.name: p for p in commands[command].params if p.param_type_name == "option"}


def test_every_key_of_a_plan_has_an_example_here() -> None:
    assert set(GIVEN) == set(StudyPlan.model_fields)


@pytest.mark.parametrize("key", StudyPlan.model_fields)
def test_every_key_of_a_plan_can_be_given_on_the_command_line(key: str) -> None:
    arguments, value = GIVEN[key]
    others = [] if key in ("trials", "grid") else TRIALS
    others = others if key == "architectures" else [*others, *SIMPLE]
    changes = changes_of([*NEEDED, *others, *arguments], list(StudyPlan.model_fields))
    plan = plan_from_options(None, changes)
    found = getattr(plan, key)
    assert found == value and type(found) is type(value)
    assert value != StudyPlan.model_fields[key].default


def test_search_has_an_option_for_every_key_and_resume_for_those_that_may_change() -> None:
    assert set(StudyPlan.model_fields) <= options_of("search").keys()
    moved = {"data"}  # where the same galaxies are now, checked by their fingerprint
    assert set(CHANGEABLE) | moved == options_of("resume").keys() & StudyPlan.model_fields.keys()
    for key, option in options_of("search").items():
        if key in GIVEN:
            assert GIVEN[key][0][0] in [*option.opts, *option.secondary_opts]


def test_options_that_are_not_given_change_nothing() -> None:
    assert changes_of([], list(StudyPlan.model_fields)) == {}


@pytest.mark.parametrize("command", ["search", "resume"])
def test_the_help_says_what_each_option_does(command: str) -> None:
    for key, option in options_of(command).items():
        assert option.help and option.help.endswith("."), key
        if key in StudyPlan.model_fields and (command, key) != ("resume", "data"):
            assert option.help.startswith(str(StudyPlan.model_fields[key].description)), key


def test_every_option_of_every_command_has_help() -> None:
    def walk(group: Any) -> None:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                walk(command)
                continue
            assert command.help, name
            for option in (p for p in command.params if p.param_type_name == "option"):
                assert option.help, (name, option.name)

    walk(typer.main.get_command(app))


def test_every_path_of_every_command_is_expanded() -> None:
    def walk(group: typer.Typer) -> Iterator[tuple[str, inspect.Parameter]]:
        for command in group.registered_commands:
            assert command.callback is not None
            for given in inspect.signature(command.callback, eval_str=True).parameters.values():
                yield command.callback.__name__, given
        for inner in group.registered_groups:
            assert inner.typer_instance is not None
            yield from walk(inner.typer_instance)

    found = 0
    for command, given in walk(app):
        kind, *marks = get_args(given.annotation) or (given.annotation,)
        if Path in (kind, *get_args(kind)):
            found += 1
            assert [mark.callback for mark in marks] == [whole_path], (command, given.name)
    assert found > 20


@pytest.mark.parametrize("command", ["search", "resume", "train", "doctor"])
def test_help_loads_nothing_heavy(command: str) -> None:
    code = (
        "import sys\n"
        "from galaxytune.cli.app import main\n"
        f"sys.argv = ['galaxytune', {command!r}, '--help']\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "heavy = ['optuna', 'torch', 'ray', 'wandb', 'pandas', 'scipy', 'matplotlib', 'numba']\n"
        "print('loaded', [name for name in heavy if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.splitlines()[-1] == "loaded []", answer.stderr


@pytest.mark.parametrize("text", ["auto", "off", "3"])
def test_a_plan_file_may_say_how_to_pack(text: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(
        f"name: p\narchitectures: [simple_cnn]\ndata: x.npz\nepochs: 2\npack: {text}\n"
    )
    expected = int(text) if text.isdecimal() else text
    assert plan_from_options(file, {"trials": 6}).pack == expected


def test_options_override_the_file_and_settings_are_merged(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(
        "name: p\narchitectures: [simple_cnn]\ndata: x.npz\nepochs: 2\ntrials: 3\nseed: 4\n"
        "set: {batch_size: 64, dropout: 0.2}\n"
    )
    plan = plan_from_options(file, {"trials": 6, "set": {"batch_size": 32}})
    assert (plan.trials, plan.seed) == (6, 4)
    assert plan.set == {"batch_size": 32, "dropout": 0.2}


@pytest.mark.parametrize(
    ("mode", "expected"), [("offline", "offline"), ("disabled", "disabled"), ("online", "online")]
)
def test_wandb_is_as_its_own_variable_says_unless_the_plan_does(
    mode: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", mode)
    changes = changes_of([*NEEDED, *SIMPLE, *TRIALS], list(StudyPlan.model_fields))
    assert plan_from_options(None, changes).wandb == expected
    assert plan_from_options(None, {**changes, "wandb": "offline"}).wandb == "offline"


def test_what_is_missing_is_named_by_its_option() -> None:
    with pytest.raises(InvalidInput) as error:
        plan_from_options(None, {"name": "s", "data": "x.npz"})
    assert str(error.value) == (
        "a search needs --architecture NAME, --trials N, --epochs N (or a plan file that says so)"
    )


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"Name": "p"}, "^unknown key 'Name'; did you mean 'name'?"),
        ({"TRIALS": 3}, "^unknown key 'TRIALS'; did you mean 'trials'?"),
        ({"architectures": ["simpel_cnn"]}, "simpel_cnn.*did you mean 'simple_cnn'"),
        ({"trials": True}, "^trials: should be a number, got True"),
        ({"data": ["a", "b"]}, r"^data: .*valid string, got \['a', 'b'\]"),
        ({"grid": {"seed": 3}, "architectures": ["simple_cnn"]}, "^grid: seed needs a list"),
        ({"grid": "seed", "architectures": ["simple_cnn"]}, "^grid must hold keys with lists"),
        ({"set": {"widht": 1}, "architectures": ["simple_cnn"]}, "'widht'; did you mean 'width'"),
        ({"seed": "x", "sed": 1}, "^unknown key 'sed'"),
        ({"epochs": 0}, "^epochs: .*got 0"),
        ({"pack": "many"}, "^pack: should be auto, off or a number"),
    ],
    ids=str,
)
@pytest.mark.parametrize("missing", [(), ("epochs",), ("name", "trials", "data", "epochs")])
def test_what_is_wrong_is_told_before_what_is_missing(
    values: dict[str, Any], told: str, missing: tuple[str, ...]
) -> None:
    whole = {"name": "p", "data": "x.npz", "trials": 1, "epochs": 1}
    given = {key: value for key, value in whole.items() if key not in missing}
    with pytest.raises(InvalidInput, match=told):
        plan_from_options(None, {**given, **values})


def test_a_long_grace_period_is_no_mistake_while_the_epochs_are_missing() -> None:
    given = {"name": "p", "data": "x.npz", "trials": 1, "architectures": ["simple_cnn"]}
    with pytest.raises(InvalidInput, match="^a search needs --epochs N"):
        plan_from_options(None, {**given, "grace_epochs": 500})


def test_the_help_claims_no_default_that_a_search_lacks() -> None:
    told = options_of("search")["epochs"].help
    assert "Default: the published number with --as-published; else a search needs" in told


@pytest.mark.parametrize("option", ["--set", "--grid"])
@pytest.mark.parametrize("second", ["width=0.2", "width=0.1", "width=[0.1]"])
def test_a_setting_stands_once(option: str, second: str) -> None:
    settings = ["width=0.1", "batch_size=8", second]
    with pytest.raises(InvalidInput, match=f"^{option} width stands twice; leave one out$"):
        parse_settings(settings, option)


def test_settings_are_read_as_a_plan_file_would_be() -> None:
    settings = ["learning_rate=3e-4", "weights=none", "flips=true", "coefficients=[1, 2]", "a=b=c"]
    assert parse_settings(settings) == {
        "learning_rate": "3e-4",  # which YAML 1.1 takes for a text, and the config for a number
        "weights": "none",
        "flips": True,
        "coefficients": [1, 2],
        "a": "b=c",
    }
    with pytest.raises(InvalidInput, match="^--set takes key=value, got 'learning_rate'$"):
        parse_settings(["learning_rate"])
