"""File systems that a test mounts for itself."""

import shutil
import subprocess
from pathlib import Path


def mount(*arguments: str | Path) -> int:
    """The exit status of `mount`; not 0 where this user may not mount."""
    if shutil.which("mount") is None:
        return 1
    command = ["mount", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False).returncode
