"""The errors by what a caller can do about each: a mistake of a person's, or work that failed."""

from search_spaces.declaration.errors import InvalidInput, StudyInterrupted, WorkFailed
from trainables.backbones.pretrained_weights import Unreachable
from trainables.device.micro_batch import OutOfMemory
from trainables.training.divergence import Diverged


def test_what_a_person_gave_wrong_is_a_value_error_and_never_failed_work() -> None:
    assert issubclass(InvalidInput, ValueError) and issubclass(Unreachable, InvalidInput)
    assert not issubclass(InvalidInput, RuntimeError)


def test_work_that_failed_is_no_mistake_of_a_persons() -> None:
    for error in (WorkFailed, Diverged, OutOfMemory):
        assert issubclass(error, WorkFailed) and not issubclass(error, ValueError)
    assert issubclass(StudyInterrupted, RuntimeError)
    assert not issubclass(StudyInterrupted, WorkFailed)
