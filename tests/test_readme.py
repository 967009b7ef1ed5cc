"""The README's Python example, as a script and in a real Jupyter kernel."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
CODE = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)

pytestmark = pytest.mark.ray


def clean_environment() -> dict[str, str]:
    """This process's environment without what Ray and W&B have put into it."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "WANDB_"))}


def test_the_example_has_about_ten_lines() -> None:
    (example,) = CODE
    assert len([line for line in example.splitlines() if line.strip()]) <= 10


def test_the_example_runs_as_a_script(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", CODE[0]],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr
    assert "config.learning_rate" in answer.stdout and "Class1.1" in answer.stdout
    assert answer.stderr == ""
    assert (tmp_path / "best_model" / "model.safetensors").is_file()


def test_the_example_runs_in_a_notebook_and_shows_progress_and_leaderboard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in os.environ.keys() - clean_environment().keys():
        monkeypatch.delenv(name)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CODE[0])])
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()
    outputs = notebook.cells[0].outputs
    shown = [o["data"]["text/html"] for o in outputs if "text/html" in o.get("data", {})]
    assert "6 of 6 trials ended" in shown[0] and "best so far" in shown[0]
    assert "<b>Study first</b>: finished" in shown[-1] and "<table" in shown[-1]
    assert not [o for o in outputs if o.get("name") == "stderr"]
