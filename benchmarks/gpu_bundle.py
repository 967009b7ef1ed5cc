"""Pack what a GPU machine without network lacks to run galaxytune: packages and galaxies.

    python benchmarks/gpu_bundle.py galaxies.npz [--out .bundle] [--num-galaxies 2500]
        [--there FILE] [--python 3.12] [--limit 64]

The machine is Linux on x86-64 and has the packages of `THERE` in benchmarks/gpu_packages.py, or
those that FILE lists, as `pip list --format=freeze` does. The folder `--out` gets

- `packages.tar.xz`: the other packages that a search needs, at the versions of requirements.lock;
- `galaxies.npz`: the galaxies that `split_galaxies(galaxies, "hash", NUM_GALAXIES)` uses; the same
  call on the small file gives the same galaxies in the same parts;
- `unpack.sh`: `sh unpack.sh TARGET` unpacks the packages into the folder TARGET.

On the machine, in a copy of the repository:

    sh .bundle/unpack.sh /tmp/packages
    export PYTHONPATH=/tmp/packages:$PWD:$PWD/platform
    python3 benchmarks/gpu.py .bundle/galaxies.npz --out results
    python3 -m galaxytune search ... --data .bundle/galaxies.npz --wandb disabled

`benchmarks/gpu_rehearsal.py` tries a bundle on a machine without a GPU. The exit code is 2 if the
bundle and the repository together are larger than `--limit`, in MiB, and 1 if pip fails.
"""

import argparse
import dataclasses
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.gpu_packages import ROOT, THERE, pack_packages
from search_spaces.declaration import InvalidInput, WorkFailed
from trainables.files import one_line, write_atomically
from trainables.galaxies import Galaxies, open_galaxies, split_galaxies

MIB = 1 << 20

_UNPACK = """\
#!/bin/sh
# Unpack the packages of this bundle into a folder: sh unpack.sh TARGET
set -eu
mkdir -p "$1"
python3 -m tarfile --filter data --extract "$(dirname "$0")/packages.tar.xz" "$1"
"""


def parts_of(galaxies: Galaxies, num_galaxies: int) -> dict[str, NDArray[np.int64]]:
    """Return the ids of each part that `split_galaxies` makes of the galaxies, sorted by row."""
    split = split_galaxies(galaxies, "hash", num_galaxies)
    return {part: galaxies.ids[rows] for part, rows in split.parts().items()}


def at_rows(galaxies: Galaxies, rows: NDArray[np.int64]) -> Galaxies:
    """Return the galaxies of some rows."""
    columns = ("images", "target", "ids", "unbiased", "num_votes")
    values = {name: getattr(galaxies, name) for name in columns}
    chosen = {name: None if value is None else value[rows] for name, value in values.items()}
    return dataclasses.replace(galaxies, **chosen)


def subset(galaxies: Galaxies, num_galaxies: int) -> Galaxies:
    """Return about `num_galaxies` galaxies that are split as in the whole file.

    `split_galaxies(..., "hash", num_galaxies)` gives the same galaxies in the same parts for both.
    A few more galaxies are added if the rounding of the parts' sizes needs them. InvalidInput is
    raised as by `split_galaxies`.
    """
    wanted = parts_of(galaxies, num_galaxies)
    for number in range(num_galaxies, len(galaxies)):
        split = split_galaxies(galaxies, "hash", number)
        small = at_rows(galaxies, np.sort(np.concatenate(list(split.parts().values()))))
        if len(small) >= num_galaxies:
            found = parts_of(small, num_galaxies)
            if all(np.array_equal(ids, wanted[part]) for part, ids in found.items()):
                return small
    return galaxies


def write_galaxies(file: Path, galaxies: Galaxies) -> None:
    """Write a galaxy file with compressed arrays."""
    columns = {f.name: getattr(galaxies, f.name) for f in dataclasses.fields(Galaxies)}
    arrays = {n: v for n, v in columns.items() if v is not None and n != "identity"}

    def write(temporary: Path) -> None:
        """Write the arrays to the file `temporary`."""
        with temporary.open("wb") as opened:
            np.savez_compressed(opened, **arrays)

    write_atomically(file, write)


def repository_size() -> int:
    """Return the size of the repository's files that git does not ignore, in bytes."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "-co", "--exclude-standard"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    files = [ROOT / name for name in listed.split("\0") if name]
    return sum(file.stat().st_size for file in files if file.is_file())


def check_size(sizes: Mapping[str, int], limit: float, num_galaxies: int) -> None:
    """Raise InvalidInput if the parts of a bundle are larger than the limit.

    sizes: bytes of each part by name, with the galaxy file as "galaxies.npz". limit: the largest
    sum of all sizes, in MiB. num_galaxies: number of galaxies in the galaxy file.
    """
    over = sum(sizes.values()) - limit * MIB
    if over <= 0:
        return
    fits = int(num_galaxies * (1 - over / sizes["galaxies.npz"])) - 10  # `subset` may add a few
    advice = f"give at most --num-galaxies {fits}" if fits >= 10 else "give a larger --limit"
    raise InvalidInput(f"the bundle is {over / MIB:.1f} MiB above {limit:g} MiB; {advice}")


def read_list(file: Path) -> list[str]:
    """Return the lines of a list of packages; InvalidInput if the file cannot be read."""
    try:
        return file.read_text().split()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} cannot be read: {one_line(error)}") from None


def make(arguments: argparse.Namespace) -> None:
    """Write the bundle, print the size of each part, and check the sum."""
    there = read_list(arguments.there) if arguments.there else THERE.split()
    galaxies = subset(open_galaxies(arguments.data), arguments.num_galaxies)
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    (out / ".gitignore").write_text("*\n")  # the bundle is not a part of the repository
    (out / "unpack.sh").write_text(_UNPACK)
    write_galaxies(out / "galaxies.npz", galaxies)
    pack_packages(out / "packages.tar.xz", there, arguments.python)
    sizes = {n: (out / n).stat().st_size for n in ("packages.tar.xz", "galaxies.npz", "unpack.sh")}
    sizes["files of the repository"] = repository_size()
    for name, size in sizes.items():
        print(f"{name}: {size / MIB:.2f} MiB")
    print(f"in all: {sum(sizes.values()) / MIB:.2f} MiB, {len(galaxies)} galaxies")
    check_size(sizes, arguments.limit, len(galaxies))


def main() -> None:
    """Read the arguments; say in one line what is wrong with them, or that pip failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, metavar="GALAXIES.npz", help="the galaxy file")
    parser.add_argument("--out", type=Path, default=Path(".bundle"), help="the bundle's folder")
    parser.add_argument("--num-galaxies", type=int, default=2500)
    parser.add_argument("--there", type=Path, help="what `pip list --format=freeze` says there")
    parser.add_argument("--python", choices=("3.11", "3.12", "3.13"), default="3.12")
    parser.add_argument("--limit", type=float, default=64.0, help="largest size, in MiB")
    arguments = parser.parse_args()
    try:
        make(arguments)
    except (InvalidInput, WorkFailed) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, InvalidInput) else 1)


if __name__ == "__main__":
    main()
