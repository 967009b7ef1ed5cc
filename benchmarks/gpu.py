"""Measure everything about one GPU in under 8 minutes, without a network: one command.

    python benchmarks/gpu.py galaxies.npz --out results
    python benchmarks/gpu.py galaxies.npz --out results --parts speed packing
    python benchmarks/gpu.py galaxies.npz --out results --tiny --device cpu

Each part runs in a process of its own with a time limit of its own, and what it started ends with
it. A part that fails or reaches its limit keeps the rows that it has measured, and the next part
goes on. After each part results/gpu.json holds all rows so far, and results/DATE-gpu.md the text
of a dated note. The last part, the recorded curves, gets the time that is left; its files stand in
`results` too. The tiny form only shows that every part works; its numbers mean nothing.

`python benchmarks/gpu_bundle.py galaxies.npz` packs what a machine without network lacks.
"""

import argparse
import ctypes
import importlib
import json
import math
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import torch

from benchmarks.gpu_parts.note import note
from benchmarks.gpu_parts.setting import Row, Setting
from trainables.files import write_atomically

SECONDS = 475.0  # of the whole command
LEAST = 5.0  # seconds that are worth the start of a part
# The limit of each part in seconds, in the order in which the parts run. The last part gets what
# is left. A part's module is benchmarks/gpu_parts/NAME.py.
LIMITS = {
    "card": 20.0,
    "speed": 110.0,
    "step_time": 75.0,
    "packing": 105.0,
    "agreement": 35.0,
    "whole_search": 105.0,
    "recorded_curves": math.inf,
}
_BECOME_PARENT_OF_ORPHANS = 36  # Linux: PR_SET_CHILD_SUBREAPER


@dataclass
class Part:
    """The result of one part of the measurement.

    outcome: `done`, `failed`, `stopped at its limit` or `no time left`.
    reason: the end of what a failed part printed, else "".
    """

    outcome: str
    seconds: float
    reason: str
    rows: list[Row]


def run_part(name: str, arguments: argparse.Namespace, limit: float) -> Part:
    """Run a part in a process of its own, end all that it started, return what it measured."""
    with tempfile.TemporaryDirectory(prefix="galaxytune_gpu_") as scratch:
        rows, log = Path(scratch) / "rows.jsonl", Path(scratch) / "log.txt"
        command = [sys.executable, "-W", "ignore", __file__, str(arguments.data), "--worker", name]
        command += ["--out", str(arguments.out), "--device", arguments.device]
        command += ["--rows", str(rows), "--seconds", str(limit)]
        command += ["--tiny"] if arguments.tiny else []
        began = time.monotonic()
        with log.open("wb") as printed:
            process = subprocess.Popen(
                command, stdout=printed, stderr=subprocess.STDOUT, env=_environment(scratch)
            )
            try:
                outcome = "failed" if process.wait(limit) else "done"
            except subprocess.TimeoutExpired:
                outcome = "stopped at its limit"
            finally:
                _end_children()
        seconds = time.monotonic() - began
        text = log.read_text(errors="replace")
        with (arguments.out / "log.txt").open("a") as all_logs:
            all_logs.write(f"==== {name}\n{text[-100_000:]}\n")
        found = rows.read_text().splitlines() if rows.exists() else []
        reason = text[-1500:] if outcome == "failed" else ""
        return Part(outcome, seconds, reason, [json.loads(line) for line in found])


def _environment(scratch: str) -> dict[str, str]:
    """Return the environment without settings of Ray and W&B, with a cache that goes."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "WANDB_"))}
    return {**kept, "WANDB_MODE": "offline", "GALAXYTUNE_CACHE": f"{scratch}/cache"}


def _end_children() -> None:
    """End every process that a part has left behind; such processes are children of this one."""
    for _ in range(50):
        children = psutil.Process().children(recursive=True)
        for child in children:
            try:
                child.kill()
            except psutil.NoSuchProcess:
                pass
        psutil.wait_procs(children, timeout=0.2)
        if not children:
            return


def work(arguments: argparse.Namespace) -> None:
    """Measure one part in this process; write each row as soon as it is known."""
    folder = Path(arguments.rows).parent / "files"
    folder.mkdir()
    setting = Setting(
        data=arguments.data,
        device=torch.device(arguments.device),
        is_tiny=arguments.tiny,
        folder=folder,
        out=arguments.out,
        ends_at=time.monotonic() + arguments.seconds,
    )
    measure = importlib.import_module(f"benchmarks.gpu_parts.{arguments.worker}").measure
    with Path(arguments.rows).open("a") as file:
        for row in measure(setting):
            file.write(json.dumps(row) + "\n")
            file.flush()


def keep(parts: dict[str, Part], arguments: argparse.Namespace, began: datetime) -> str:
    """Write all that is known so far as JSON and as a note; return the note."""
    seconds = (datetime.now(UTC) - began).total_seconds()
    whole: dict[str, Any] = {
        "command": shlex.join(["python", *_plain(sys.argv)]),
        "began": began.isoformat(timespec="seconds"),
        "seconds": seconds,
        "tiny": arguments.tiny,
        "parts": {name: asdict(part) for name, part in parts.items()},
    }
    text = note(whole)
    document = json.dumps(whole, indent=1) + "\n"
    write_atomically(arguments.out / "gpu.json", lambda path: path.write_text(document))
    named = arguments.out / f"{began:%Y-%m-%d}-gpu.md"
    write_atomically(named, lambda path: path.write_text(text))
    return text


def _plain(words: Sequence[str]) -> list[str]:
    """Return the words of the command line with the folders of this machine left out."""
    return [
        f"benchmarks/{Path(words[0]).name}",
        *(Path(word).name if word.startswith("/") else word for word in words[1:]),
    ]


def run(arguments: argparse.Namespace) -> bool:
    """Run the parts one after the other and print the note; return whether none has failed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_BECOME_PARENT_OF_ORPHANS, 1, 0, 0, 0)
    arguments.out.mkdir(parents=True, exist_ok=True)
    began, ends_at = datetime.now(UTC), time.monotonic() + arguments.seconds
    parts: dict[str, Part] = {}
    text = ""
    for name in arguments.parts:
        limit = min(LIMITS[name], ends_at - time.monotonic())
        if limit < LEAST:
            parts[name] = Part("no time left", 0.0, "", [])
        else:
            parts[name] = run_part(name, arguments, limit)
        text = keep(parts, arguments, began)
        part = parts[name]
        print(f"{name}: {part.outcome}, {len(part.rows)} rows, {part.seconds:.0f} s", flush=True)
        if part.reason:
            print(part.reason, flush=True)
    print(text)
    return all(part.outcome != "failed" for part in parts.values())


def main() -> None:
    """Read the arguments and run the parts; the exit code is 1 if a part has failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--parts", nargs="+", choices=LIMITS, default=list(LIMITS), metavar="PART")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="a small form that takes a minute")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of all parts together")
    parser.add_argument("--worker", choices=LIMITS, help=argparse.SUPPRESS)
    parser.add_argument("--rows", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.data, arguments.out = arguments.data.resolve(), arguments.out.resolve()
    if not arguments.data.is_file():
        parser.error(f"no galaxy file {arguments.data}")
    if arguments.device == "cpu" and not arguments.tiny:
        parser.error("a processor runs the tiny form alone; add --tiny")
    if arguments.worker:
        return work(arguments)
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch finds no GPU; --tiny --device cpu shows that the parts work")
    if not run(arguments):
        sys.exit(1)


if __name__ == "__main__":
    main()
