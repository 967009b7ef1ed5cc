"""Processor time of a process and its workers, which other programs hardly change."""

import os
import time
from pathlib import Path


def processor_seconds() -> float:
    """Seconds that this process and its living children have spent on processors (Linux)."""
    own = os.getpid()
    children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
    ticks = 0
    for child in children:
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # user and system
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")
