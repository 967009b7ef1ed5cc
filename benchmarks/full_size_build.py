"""Memory and time of `data build` and `data check` on as many galaxies as Kaggle's challenge has.

    python benchmarks/full_size_build.py SAMPLE [--galaxies 61578] [--sides 424 128] [--quick]

SAMPLE is a folder with some of Kaggle's galaxies as `data build` reads them. The sample's
JPEG files are repeated under as many names as there shall be galaxies, in one zip without
compression. Each command is a process of its own; its peak memory is the largest resident set that
the kernel counted. Where the disk has no room for a file, fewer galaxies are built, and the line
says so.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path

GIB = 1 << 30
CROP = 424  # pixels: the whole of Kaggle's images
SPARE = GIB  # bytes of the disk that are left free


def make_download(sample: Path, folder: Path, num_galaxies: int) -> int:
    """Write a download of Kaggle's form; return the size of its zip of images in bytes."""
    from trainables.galaxies.kaggle_parts import kaggle_parts
    from trainables.galaxies.kaggle_places import IMAGES, SOLUTIONS

    first = 100_000
    with kaggle_parts(sample, folder) as parts:
        votes = parts.votes
        galaxies = {int(image.id): image for image in parts.images.images}
        files = [(i, image.open().read()) for i, image in galaxies.items() if i in votes.index]
    repeated = list(islice(cycle(files), num_galaxies))
    with zipfile.ZipFile(folder / f"{IMAGES}.zip", "w", zipfile.ZIP_STORED) as archive:
        for number, (_, content) in enumerate(repeated, start=first):
            archive.writestr(f"{IMAGES}/{number}.jpg", content)
    table = votes.loc[[galaxy for galaxy, _ in repeated]].reset_index(drop=True)
    table.insert(0, "GalaxyID", range(first, first + num_galaxies))
    table.to_csv(folder / f"{SOLUTIONS}.csv", index=False)
    return (folder / f"{IMAGES}.zip").stat().st_size


def measured(arguments: list[object]) -> tuple[float, float]:
    """Run a command of galaxytune; return its seconds and its peak memory in MiB."""
    command = [sys.executable, "-m", "galaxytune", *map(str, arguments)]
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    told = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    if status:
        raise RuntimeError(told.decode()[-2000:])
    return seconds, used.ru_maxrss / 1024


def main() -> None:
    """Build and check a file for each side, and print the memory and the time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sample", type=Path)
    parser.add_argument("--galaxies", type=int, default=61_578)
    parser.add_argument("--sides", type=int, nargs="+", default=[424, 128])
    parser.add_argument("--quick", action="store_true", help="under a minute: 1,000 galaxies")
    arguments = parser.parse_args()
    wanted = 1000 if arguments.quick else arguments.galaxies
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} CPU cores")
    for side in arguments.sides:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            row = side * side * 3 + 30_000  # with the JPEG file
            room = (shutil.disk_usage(folder).free - SPARE) // row
            num_galaxies = min(wanted, room)
            packed = make_download(arguments.sample, folder, num_galaxies)
            fewer = f" (the disk has no room for {wanted:,})" if room < wanted else ""
            print(f"{num_galaxies:,} galaxies{fewer}, JPEG files {packed / GIB:.2f} GiB", end="")
            out = folder / "galaxies.npz"
            build = measured(["data", "build", folder, out, "--crop", CROP, "--side", side])
            print(f", {side} pixels: file {out.stat().st_size / GIB:.2f} GiB")
            check = measured(["data", "check", out])
            for what, (seconds, memory) in {"build": build, "check": check}.items():
                rate = num_galaxies / seconds
                print(f"  {what}: {memory:.0f} MiB, {seconds:.0f} s ({rate:.0f} galaxies/s)")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
