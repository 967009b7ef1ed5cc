"""The platform: studies, sampling, scheduling, tracking, export, prediction, the command line."""

__version__ = "0.1.0"
