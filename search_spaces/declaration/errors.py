"""The errors that galaxytune raises on purpose, each with what the caller can do.

    ValueError
        InvalidInput        something that a person gave is wrong; the command line exits with 2
    RuntimeError
        WorkFailed          the work could not be done; the command line exits with 1
        StudyInterrupted    a study was stopped by Ctrl-C or SIGTERM and can be resumed; the
                            command line exits with 130

An OSError is raised unchanged if a disk is full, is broken or does not allow writing; the command
line then exits with 1. Any other exception, except KeyboardInterrupt, is a fault of galaxytune, or
of a library that galaxytune uses.
"""


class InvalidInput(ValueError):
    """An error that is raised when a value, file or option that a person gave is wrong.

    The message is one line that says what is wrong. The message shows the value and says what
    would be right where galaxytune can tell.
    """


class Notice(UserWarning):
    """A warning that tells a person what galaxytune did with something that was given.

    The message is one line. The command line prints it as a note, without a place in the code.
    """


class WorkFailed(RuntimeError):
    """An error that is raised when work could not be done although all input is right.

    The message is one line that says what failed and, where there is a way, how to go on. Examples
    are a full disk, a training that diverged, and trials that are left after a search.
    """


class StudyInterrupted(RuntimeError):
    """An error that is raised when a signal stopped a study before all of its trials ended.

    A resume of the study runs the remaining trials.
    """
