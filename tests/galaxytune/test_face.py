"""What `import galaxytune` offers: its names, its speed, its docstrings and their examples."""

import doctest
import inspect
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import galaxytune
from galaxytune import api

NAMES = [
    "ClusterAddress",
    "InvalidInput",
    "Model",
    "Study",
    "StudyInterrupted",
    "StudyObserver",
    "StudyPlan",
    "WorkFailed",
    "__version__",
    "errors",
    "load_model",
    "make_config",
    "open_study",
    "rank",
    "report",
    "search",
    "simulate",
    "train",
    "write_submission",
]
FUNCTIONS = [name for name in NAMES if inspect.isfunction(getattr(galaxytune, name))]
# Each example works on what those before it have left in the folder.
IN_ORDER = ["simulate", "make_config", "train", "search", "open_study", "rank", "report"]


def methods(cls: type) -> Iterator[tuple[str, Callable[..., object]]]:
    """The public methods of a class by their qualified names."""
    for name, method in inspect.getmembers(cls, inspect.isfunction):
        if not name.startswith("_"):
            yield f"{cls.__name__}.{name}", method


def explained() -> dict[str, Callable[..., object]]:
    """Every function and method of the face, those whose examples come first standing first."""
    found = {name: getattr(galaxytune, name) for name in FUNCTIONS}
    found |= dict(methods(api.Study)) | dict(methods(api.Model))
    return {name: found[name] for name in [*IN_ORDER, *sorted(found)]}


def test_the_face_offers_these_names() -> None:
    assert sorted(galaxytune.__all__) == NAMES
    assert all(getattr(galaxytune, name) is not None for name in NAMES)


def test_it_says_that_it_is_typed() -> None:
    assert Path(galaxytune.__file__).with_name("py.typed").is_file()


def test_its_errors_are_what_callers_expect() -> None:
    assert issubclass(galaxytune.InvalidInput, ValueError)
    assert issubclass(galaxytune.WorkFailed, RuntimeError)
    assert issubclass(galaxytune.StudyInterrupted, RuntimeError)
    assert set(galaxytune.errors.__all__) == {"InvalidInput", "WorkFailed", "StudyInterrupted"}


def test_importing_it_takes_less_than_a_fifth_of_a_second() -> None:
    code = (
        "import time; t = time.perf_counter(); import galaxytune; print(time.perf_counter() - t)"
    )
    seconds = []
    for _ in range(3):
        answer = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        seconds.append(float(answer.stdout))
        time.sleep(0.1)
    assert min(seconds) < 0.2


@pytest.mark.parametrize("name", explained())
def test_a_docstring_explains_every_argument_and_what_comes_back(name: str) -> None:
    function = explained()[name]
    text, signature = inspect.getdoc(function) or "", inspect.signature(function)
    parameters = [p for p in signature.parameters.values() if p.name != "self"]
    assert "Example:" in text and ">>> import galaxytune" in text
    assert ("Args:" in text) == bool(parameters)
    assert "Returns:" in text
    for parameter in parameters:
        name = str(parameter).partition(":")[0]  # with the stars of *args and **kwargs
        assert f"    {name}: " in text, parameter


@pytest.mark.parametrize("name", explained())
def test_every_argument_and_result_has_a_type(name: str) -> None:
    signature = inspect.signature(explained()[name])
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.name == "self" or parameter.annotation is not parameter.empty


@pytest.mark.ray
def test_the_examples_do_what_they_say(tmp_path: Path, monkeypatch, small_ray: None) -> None:
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL)
    finder = doctest.DocTestFinder(recurse=False)
    for name, function in explained().items():
        for example in finder.find(function, name, globs={}):
            failed, attempted = runner.run(example)
            assert attempted and not failed, name


def test_the_plans_example_does_what_it_says() -> None:
    finder = doctest.DocTestFinder(recurse=False)
    (example,) = finder.find(galaxytune.StudyPlan, "plan", globs={})
    assert doctest.DocTestRunner().run(example) == (0, 3)


def test_the_plans_docstring_explains_every_key() -> None:
    told = (galaxytune.StudyPlan.__doc__ or "").splitlines()
    for name, field in galaxytune.StudyPlan.model_fields.items():
        assert f"    {name}: {field.description}" in told
