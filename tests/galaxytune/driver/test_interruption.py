"""Ctrl-C and SIGTERM: the first drains, the second stops now, and both are the caller's again."""

import os
import signal
import threading
from types import FrameType

import pytest

from galaxytune.driver.interruption import draining


def ours(number: int, frame: FrameType | None) -> None:
    """A handler of the caller's."""


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def number(request: pytest.FixtureRequest) -> signal.Signals:
    """A signal that asks a program to end, for which the caller has a handler."""
    before = signal.signal(request.param, ours)
    request.addfinalizer(lambda: signal.signal(request.param, before))
    found: signal.Signals = request.param
    return found


def test_the_first_signal_is_told_by_its_name_and_the_handlers_are_restored(
    number: signal.Signals,
) -> None:
    told: list[str] = []
    with draining(told.append):
        assert signal.getsignal(number) is not ours
        os.kill(os.getpid(), number)
    assert told == [number.name]
    assert signal.getsignal(number) is ours


def test_the_second_signal_stops_now_and_the_handlers_are_restored(
    number: signal.Signals,
) -> None:
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt), draining(told.append):
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
    assert told == [number.name]
    assert signal.getsignal(number) is ours


def test_outside_the_main_thread_nothing_is_changed() -> None:
    before, seen = signal.getsignal(signal.SIGINT), []

    def look() -> None:
        with draining(lambda name: None):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [before]
