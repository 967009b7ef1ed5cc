"""Try a bundle of gpu_bundle.py as a GPU machine without network would, but on the CPU.

    python benchmarks/gpu_rehearsal.py .bundle FOLDER [--python python3.12] [--run COMMAND ...]

The folder gets an environment with the packages that such a machine has, as `venv`; the bundle's
packages, unpacked, as `packages`; and a copy of the repository with the bundle, as `repository`.
An environment of an earlier call is used again. COMMAND runs in the copy, where `python3` and
its packages are those of the rehearsal; without COMMAND, benchmarks/gpu.py runs in its tiny form.
The exit code is that of COMMAND; it is 2 if an argument is wrong, and 1 if pip fails.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.gpu_packages import ROOT, THERE
from benchmarks.simulated_training import environment
from search_spaces.declaration import InvalidInput, WorkFailed


def make_environment(folder: Path, python: str) -> None:
    """Make a virtual environment with the packages of THERE.

    python: the program of the machine's version of Python. InvalidInput is raised if the program
    is missing, and WorkFailed if pip cannot install the packages.
    """
    if (folder / "complete").exists():
        return
    if shutil.which(python) is None:
        raise InvalidInput(f"no program {python!r}; give one of the machine's version to --python")
    subprocess.run([python, "-m", "venv", "--clear", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-qq"]
    if subprocess.run([*pip, *THERE.split()]).returncode:
        raise WorkFailed("pip could not install the machine's packages, see above")
    (folder / "complete").touch()


def copy_repository(folder: Path, bundle: Path) -> None:
    """Copy the files that git tracks or does not ignore, and the bundle as `.bundle`."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "-co", "--exclude-standard"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    shutil.rmtree(folder, ignore_errors=True)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    shutil.copytree(bundle, folder / ".bundle")


def rehearse(bundle: Path, folder: Path, python: str, command: list[str]) -> int:
    """Run a command as on the machine; return its exit code."""
    if not (bundle / "packages.tar.xz").is_file():
        raise InvalidInput(f"no bundle {bundle}; make one with benchmarks/gpu_bundle.py")
    folder.mkdir(parents=True, exist_ok=True)
    make_environment(folder / "venv", python)
    repository, packages = folder / "repository", folder / "packages"
    copy_repository(repository, bundle)
    shutil.rmtree(packages, ignore_errors=True)
    programs = [folder / "venv" / "bin", os.environ["PATH"]]
    modules = [packages, repository, repository / "platform"]
    variables = environment(folder) | {
        "PATH": os.pathsep.join(map(str, programs)),
        "PYTHONPATH": os.pathsep.join(map(str, modules)),
    }
    unpack = ["sh", str(repository / ".bundle" / "unpack.sh"), str(packages)]
    subprocess.run(unpack, check=True, env=variables)
    return subprocess.run(command, cwd=repository, env=variables).returncode


def main() -> None:
    """Read the arguments; say in one line what is wrong with them, or that pip failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default="python3.12", help="a program, such as python3.12")
    parser.add_argument(
        "--run", nargs=argparse.REMAINDER, help="a program and its arguments; the last option"
    )
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    tiny = ["python3", "benchmarks/gpu.py", ".bundle/galaxies.npz", "--tiny", "--device", "cpu"]
    command = arguments.run or [*tiny, "--out", str(folder / "out")]
    try:
        sys.exit(rehearse(arguments.bundle.resolve(), folder, arguments.python, command))
    except (InvalidInput, WorkFailed) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, InvalidInput) else 1)


if __name__ == "__main__":
    main()
