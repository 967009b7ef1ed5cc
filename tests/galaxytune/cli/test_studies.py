"""The commands around studies: what is wrong gets one line and exit code 2."""

import json
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from galaxytune.driver.ledger import Ledger
from galaxytune.study.folder import StudyFolder
from tests.support.command_line import Cli
from tests.support.driver import Driver
from tests.support.misbehaving import report_of
from tests.support.studies import BeginStudy

Captured = pytest.CaptureFixture[str]
SIMPLE = ["--architecture", "simple_cnn"]


def search_arguments(data: Path, *more: str) -> list[str]:
    fixed = ["search", "--data", str(data), "--name", "s", "--trials", "2", "--epochs", "1"]
    return [*fixed, *more]


def assert_refused(cli: Cli, arguments: list[str], told: str, capfd: Captured) -> None:
    """Assert that a command ends with code 2 and one line, and makes no study."""
    assert cli(*arguments) == 2, arguments
    lines = capfd.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    assert told in lines[0], lines
    assert not Path("studies").exists()
    ray = sys.modules.get("ray")
    assert ray is None or not ray.is_initialized()  # where a search began one before it knew


@pytest.mark.parametrize(
    ("told", "given"),
    [
        ("did you mean 'simple_cnn'", ["--architecture", "simple_cn"]),
        ("did you mean 'learning_rate'", [*SIMPLE, "--set", "learning_rat=1"]),
        ("learning_rate", [*SIMPLE, "--set", "learning_rate=fast"]),
        ("should be a number", [*SIMPLE, "--set", "batch_size=true"]),
        ("key=value", [*SIMPLE, "--set", "learning_rate"]),
        ("did you mean 'trials'", ["plan.yaml"]),
        ("needs --architecture", []),
        ("--gpu", ["--gpu", "1"]),
        ("'offline', 'online' or 'disabled'", [*SIMPLE, "--wandb", "maybe"]),
        ("no galaxy file", [*SIMPLE, "--data", "none.npz"]),
    ],
)
def test_a_wrong_search_gets_one_line_and_code_2(
    told: str, given: list[str], cli: Cli, toy_npz: Path, capfd: Captured
) -> None:
    Path("plan.yaml").write_text("architectures: [simple_cnn]\ntrails: 3\n")
    assert_refused(cli, search_arguments(toy_npz, *given), told, capfd)


@pytest.mark.parametrize(
    ("told", "arguments"),
    [
        ("not a whole npz", ["data", "check", "broken.npz"]),
        ("no study 'nowhere'", ["leaderboard", "nowhere"]),
        ("no export folder", ["predict", ".", "broken.npz", "out.csv"]),
        ("--num-galaxies", ["data", "simulate", "x.npz", "--num-galaxies", "few"]),
        ("end in .npz, not 'x.zip'", ["data", "simulate", "x.zip"]),
    ],
)
def test_wrong_input_gets_one_line_and_code_2(
    told: str, arguments: list[str], cli: Cli, toy_npz: Path, capfd: Captured
) -> None:
    Path("broken.npz").write_bytes(toy_npz.read_bytes()[:5000])
    assert_refused(cli, arguments, told, capfd)


@pytest.mark.ray
@pytest.mark.parametrize(
    ("told", "given"),
    [
        ("no node can hold", ["--gpus-per-trial", "8"]),
        ("broken.npz is not a whole npz", ["--data", "broken.npz"]),
    ],
)
def test_what_is_wrong_beside_a_ray_that_starts_gets_one_line_too(
    told: str, given: list[str], cli: Cli, toy_npz: Path, capfd: Captured
) -> None:
    Path("broken.npz").write_bytes(toy_npz.read_bytes()[:5000])
    arguments = search_arguments(toy_npz, *SIMPLE, "--local-cpus", "1", *given)
    assert_refused(cli, arguments, told, capfd)


def test_a_seed_that_the_grid_overrules_is_refused(
    cli: Cli, toy_npz: Path, capfd: Captured
) -> None:
    plan = Path("plan.yaml")
    plan.write_text("name: s\narchitectures: [simple_cnn]\nepochs: 1\ngrid: {seed: [0, 1]}\n")
    assert cli("search", plan, "--data", toy_npz, "--seed", 7) == 2
    line = "galaxytune: grid and --seed 7 both decide 'seed'; leave one of them out\n"
    assert capfd.readouterr().err == line and not Path("studies").exists()


@pytest.fixture
def halfway(begin_study: BeginStudy) -> StudyFolder:
    """A study of seven trials, of which one is complete and one was begun."""
    folder = begin_study(trials=7, epochs=9)
    driver = Driver(folder)
    assert driver.train(driver.begin()[0]) == "00000:9"
    (begun,) = driver.begin()
    driver.ledger.record_epoch(begun, report_of(begun, 1))
    return folder


def test_the_status_is_a_table_or_a_document(
    halfway: StudyFolder, cli: Cli, capfd: Captured
) -> None:
    storage = ["--storage", str(halfway.path.parent)]
    assert cli("status", "s", *storage) == 0
    out = " ".join(capfd.readouterr().out.split())
    assert "Study s: interrupted (1 complete, 1 interrupted, 5 waiting)" in out
    assert "00000" in out and "9/9" in out and "0.1611" in out
    assert cli("status", "s", "--json", *storage) == 0
    told = json.loads(capfd.readouterr().out)
    assert (told["study"], told["state"], told["ended"]) == ("s", "interrupted", None)
    assert {name: n for name, n in told["counts"].items() if n} == {
        "complete": 1, "interrupted": 1, "waiting": 5
    }  # fmt: skip


def test_the_leaderboard_is_a_table_or_a_document(
    halfway: StudyFolder, cli: Cli, capfd: Captured
) -> None:
    storage = ["--storage", str(halfway.path.parent)]
    assert cli("leaderboard", "s", *storage) == 0
    out = capfd.readouterr().out
    assert "Leaderboard of s" in out and "simple_cnn (published)" in out
    assert "noise floor of the votes: 0." in out
    assert cli("leaderboard", "s", "--json", *storage) == 0
    (row,) = json.loads(capfd.readouterr().out)["trials"]
    assert (row["rank"], row["id"], row["published"]) == (1, "00000", True)
    assert row["val_rmse"] == pytest.approx(0.15 + 0.1 / 9)


def test_a_leaderboard_of_two_studies_tells_the_study_of_each_trial(
    halfway: StudyFolder, cli: Cli, tmp_path: Path, capfd: Captured
) -> None:
    for name in ("first", "second"):
        shutil.copytree(halfway.path, tmp_path / "both" / name)
    assert cli("leaderboard", "first", "second", "--storage", str(tmp_path / "both")) == 0
    rows = [line.split() for line in capfd.readouterr().out.splitlines() if "00000" in line]
    assert [row[3] for row in rows] == ["first", "second"]


@pytest.mark.slow
@pytest.mark.parametrize("command", [["status"], ["status", "--json"], ["leaderboard"]], ids=str)
def test_a_look_at_a_study_waits_neither_for_torch_nor_for_ray(
    command: list[str], halfway: StudyFolder
) -> None:
    arguments = [*command, "s", "--storage", str(halfway.path.parent)]
    code = (
        "import sys\n"
        "from galaxytune.cli.app import main\n"
        f"sys.argv = ['galaxytune', *{arguments}]\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "print('loaded', [name for name in ('torch', 'ray', 'pandas') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.splitlines()[-1] == "loaded []", answer.stderr


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--max-hours", "0"], "max_hours: Input should be greater than 0, got 0.0"),
        (["--seed", "3"], "No such option: --seed"),
    ],
)
def test_a_resume_refuses_a_wrong_change_and_keeps_its_plan(
    given: list[str], told: str, halfway: StudyFolder, cli: Cli, capfd: Captured
) -> None:
    before = halfway.plan_file.read_text()
    storage = ["--storage", str(halfway.path.parent), "--address", "127.0.0.1:1"]
    assert cli("resume", "s", *storage, *given) == 2
    assert told in capfd.readouterr().err
    assert halfway.plan_file.read_text() == before


@pytest.mark.slow
def test_the_dashboard_prints_its_address_and_ends_well_at_ctrl_c(
    begin_study: BeginStudy, tmp_path: Path
) -> None:
    folder = begin_study(trials=5)
    ledger = Ledger(folder)
    while (trial_id := ledger.draw()) is not None:
        ledger.hand_out(trial_id)
    code = (
        "import signal\n"
        # a shell that starts the tests in the background has them ignore it
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from galaxytune.cli.app import main\n"
        "main()"
    )
    arguments = ["dashboard", "s", "--port", "0", "--storage", str(folder.path.parent)]
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        line = server.stderr.readline()
        assert "study s: http://127.0.0.1:" in line
        address = line.split()[2].rstrip("/")
        with urllib.request.urlopen(f"{address}/api/studies/0", timeout=20) as answer:
            assert len(json.loads(answer.read())["trials"]) == 5
        server.send_signal(signal.SIGINT)
        assert "closed" in server.stderr.readline()
        assert server.wait(20) == 0
