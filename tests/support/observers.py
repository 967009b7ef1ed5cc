"""Observers of a study for tests."""

from collections.abc import Callable
from typing import Any


class Looking:
    """An observer that looks, whenever it is told something, at what it is given to look at."""

    def __init__(self, look: Callable[[], Any]) -> None:
        self.look = look
        self.seen: dict[str, Any] = {}

    def __getattr__(self, event: str) -> Callable[..., None]:
        if event.startswith("__"):
            raise AttributeError(event)
        return lambda *_, **__: self.seen.update({event: self.look()})


class Notes:
    """An observer that keeps the sentences on the study, and hears nothing else.

    sentences: the sentences in order.
    """

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def study_noted(self, sentence: str) -> None:
        """Keep a sentence."""
        self.sentences.append(sentence)

    def __getattr__(self, event: str) -> Callable[..., None]:
        if event.startswith("__"):
            raise AttributeError(event)
        return lambda *_, **__: None
