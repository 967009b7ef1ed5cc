"""The progress display of a notebook, as HTML, and where a search has such a display."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from galaxytune.tracking import notebook
from galaxytune.tracking.notebook import NotebookProgress, default_observers, in_notebook
from search_spaces.declaration.known_architectures import config_from_values
from tests.support.records import epoch_report, record

SIMPLE = config_from_values({"architecture": "simple_cnn"})


class Shown:
    """What a notebook shows: the HTML of the display after each drawing."""

    def __init__(self) -> None:
        self.drawings: list[str] = []

    def display(self, html: str, *, display_id: bool) -> "Shown":
        assert display_id  # else it could not be redrawn in place
        self.update(html)
        return self

    def update(self, html: str) -> None:
        self.drawings.append(html)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """A stand-in for the notebook's own display."""
    found, ipython = Shown(), ModuleType("IPython")
    display = SimpleNamespace(HTML=str, display=found.display)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return found


@pytest.fixture
def progress(shown: Shown) -> NotebookProgress:
    """The display of a study of nine trials, of which two have ended before."""
    ended = [record(0, 0.12), record(1, 0.05, status="pruned")]
    begun = NotebookProgress()
    begun.study_started(9, 4, ended)
    return begun


def test_it_tells_how_many_trials_have_ended_and_the_best(progress: NotebookProgress) -> None:
    assert progress.html() == (
        "<progress value='2' max='9'></progress> 2 of 9 trials ended<br>"
        "best so far: trial 00000, simple_cnn, validation RMSE 0.1200"
    )
    progress.trial_finished(record(2, 0.11))
    progress.trial_finished(record(3, 0.115))
    progress.trial_finished(record(4, None, status="failed"))
    assert "5 of 9 trials ended" in progress.html()
    assert "best so far: trial 00002, simple_cnn, validation RMSE 0.1100" in progress.html()


def test_without_a_complete_trial_it_names_no_best(shown: Shown) -> None:
    begun = NotebookProgress()
    begun.study_started(3, 4, [])
    assert begun.html() == "<progress value='0' max='3'></progress> 0 of 3 trials ended"


def test_it_tells_what_the_running_trials_do(progress: NotebookProgress) -> None:
    progress.trial_started("00005", SIMPLE, True)
    progress.trial_started("00004", SIMPLE, False)
    assert progress.html().split("<br>")[2:] == [
        "trial 00004: simple_cnn",
        "trial 00005: simple_cnn, published config",
    ]
    progress.epoch_reported("00004", epoch_report(1, 0.3))
    progress.epoch_reported("00004", epoch_report(2, 0.2))
    assert "trial 00004: simple_cnn: epoch 2/4, validation RMSE 0.2000" in progress.html()
    progress.trial_paused("00004", 2)
    assert "00004" not in progress.html()
    progress.trial_finished(record(5, 0.2))
    assert "trial 00005" not in progress.html()


def test_names_and_notes_are_escaped(progress: NotebookProgress) -> None:
    name = "timm:<b>&co"
    hostile = SIMPLE.model_copy(update={"architecture": name})
    progress.trial_started("00005", hostile, False)
    progress.trial_finished(record(6, 0.01).model_copy(update={"architecture": name}))
    progress.study_noted("2 < 3 & <script>")
    text = progress.html()
    assert "<b>" not in text and "<script>" not in text
    assert "trial 00005: timm:&lt;b&gt;&amp;co" in text
    assert "best so far: trial 00006, timm:&lt;b&gt;&amp;co," in text
    assert "2 &lt; 3 &amp; &lt;script&gt;" in text


def test_only_the_last_notes_stay(progress: NotebookProgress) -> None:
    for number in range(5):
        progress.study_noted(f"note {number}")
    assert progress.html().split("<br>")[2:] == ["note 2", "note 3", "note 4"]


def test_it_is_redrawn_in_place_but_not_for_every_epoch(
    progress: NotebookProgress, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 100.0
    monkeypatch.setattr(notebook.time, "monotonic", lambda: clock)
    assert len(shown.drawings) == 1 and "2 of 9" in shown.drawings[0]
    progress.trial_started("00005", SIMPLE, False)
    num_drawn = len(shown.drawings)
    for epoch in range(1, 4):
        progress.epoch_reported("00005", epoch_report(epoch, 0.3))
    assert len(shown.drawings) == num_drawn  # all within .3 s
    clock += 1.0
    progress.epoch_reported("00005", epoch_report(4, 0.3))
    assert len(shown.drawings) == num_drawn + 1 and "epoch 4/4" in shown.drawings[-1]
    progress.study_noted("a note is shown at once")
    assert "a note is shown at once" in shown.drawings[-1]


def test_the_end_of_the_last_trial_is_drawn_at_once(shown: Shown) -> None:
    begun = NotebookProgress()
    begun.study_started(1, 4, [])
    begun.trial_started("00000", SIMPLE, True)
    begun.trial_finished(record(0, 0.1))
    assert "1 of 1 trials ended" in shown.drawings[-1]


def test_outside_a_notebook_there_is_no_observer() -> None:
    assert not in_notebook() and default_observers() == []


@pytest.mark.parametrize(
    ("shell", "has_kernel"), [(None, True), (SimpleNamespace(), True), (None, False)]
)
def test_an_ipython_that_is_no_notebook_gets_no_observer(
    shell: Any, has_kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ipython = SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    if has_kernel:
        monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    assert default_observers() == []


def test_a_notebook_gets_a_progress_display(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = SimpleNamespace(kernel=object())
    ipython = SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    (observer,) = default_observers()
    assert isinstance(observer, NotebookProgress)


def test_a_second_run_of_one_display_begins_with_its_own_numbers(
    progress: NotebookProgress,
) -> None:
    progress.study_noted("the first run has ended")
    progress.trial_started("00004", SIMPLE, False)
    progress.study_started(3, 4, [record(0, 0.5)])
    assert progress.html() == (
        "<progress value='1' max='3'></progress> 1 of 3 trials ended<br>"
        "best so far: trial 00000, simple_cnn, validation RMSE 0.5000"
    )
