"""The errors that galaxytune raises on purpose.

InvalidInput(ValueError): something that a person gave is wrong; the message names it.
WorkFailed(RuntimeError): the work could not be done, although all that was given is right.
StudyInterrupted(RuntimeError): a signal stopped a study; `Study.resume` continues the study.

Two other exceptions are no faults either: the OSError of a disk that refuses, for example because
it is full, and the KeyboardInterrupt of Ctrl-C. Any further exception is a fault of galaxytune, or
of a library that galaxytune uses.
"""

from search_spaces.declaration import InvalidInput, StudyInterrupted, WorkFailed

__all__ = ["InvalidInput", "StudyInterrupted", "WorkFailed"]
