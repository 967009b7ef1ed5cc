"""Ctrl-C and SIGTERM while a study runs: the first lets epochs end, the second stops at once."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def draining(on_first: Callable[[str], None]) -> Iterator[None]:
    """Catch Ctrl-C (SIGINT) and SIGTERM while the block runs.

    on_first: is called at the first signal with the signal's name, such as `SIGINT`; the block
    then goes on. Each later signal raises KeyboardInterrupt in the block. At the end the earlier
    signal handlers are restored. Outside the main thread, where Python delivers no signals,
    nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            raise KeyboardInterrupt
        on_first(signal.Signals(number).name)

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
