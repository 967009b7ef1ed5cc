"""The packages that a search needs and a GPU machine without network lacks, in one archive."""

import lzma
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from search_spaces.declaration import InvalidInput, WorkFailed

ROOT = Path(__file__).resolve().parents[1]

# What `pip list --format=freeze` says on such a machine of the packages that galaxytune, its
# benchmarks and Ray may use. An entry without `==` names a package whose version is unknown. The
# list leaves out lazy-loader, typer and typing-extensions of the machine, because galaxytune and
# pydantic need recent ones.
THERE = """
aiohttp annotated-doc anyio attrs certifi charset-normalizer click cloudpickle contourpy cycler
filelock flatbuffers fonttools fsspec grpcio h11 hf-xet httpcore httpx huggingface-hub==1.33.0
idna jinja2 joblib kiwisolver llvmlite markdown-it-py markupsafe matplotlib mdurl ml-dtypes mpmath
msgpack narwhals networkx numba numpy==2.5.2 nvidia-ml-py onnx-ir==1.0.0 onnx==1.23.1
onnxruntime==1.30.0 onnxscript==0.7.2 packaging pandas pillow prometheus-client protobuf psutil
pyarrow pygments pyparsing python-dateutil pyyaml requests rich safetensors==0.8.0 scikit-learn
scipy setuptools shellingham sympy threadpoolctl timm torch==2.11.0 torchvision==0.26.0 tqdm
triton==3.6.0 urllib3
"""

# Packages that a search with `--wandb disabled` never loads: W&B, heat maps, the dashboard, and
# Optuna's storage in a database.
LEFT_OUT = frozenset({"alembic", "captum", "optuna-dashboard", "sqlalchemy", "wandb"})

# Folders that neither Ray's core nor Ray Tune loads, and the headers and programs of all packages.
PRUNED = (
    "bin",
    "include",
    "ray/dashboard/client",
    "ray/jars",
    "ray/llm",
    "ray/rllib",
    "ray/serve",
)

_MANYLINUX = ("_2_28", "_2_27", "_2_24", "_2_17", "2014", "2010", "1")  # that the machine can use
_LOCK_ENTRY = re.compile(r"^\w.*(?:\n +.*)*", re.MULTILINE)
_WANTED_BY = re.compile(r"^ +#(?:   | via )(\S+)", re.MULTILINE)
_HASH = re.compile(r"--hash=\S+")


@dataclass(frozen=True)
class Locked:
    """A package of requirements.lock.

    version: its version. hashes: pip's options for the hashes of its files. wanted_by: names of
    the packages that require it.
    """

    version: str
    hashes: tuple[str, ...]
    wanted_by: frozenset[str]


def read_lock(text: str, python: str) -> dict[str, Locked]:
    """Return the packages of a lock for Python on Linux and x86-64, by name.

    text: the lock that uv writes, with an environment marker for a package that only some machines
    need. python: the version of Python, such as "3.12".
    """
    target = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }
    packages = {}
    for entry in _LOCK_ENTRY.findall(text):
        requirement = Requirement(entry.splitlines()[0].rstrip(" \\"))
        if requirement.marker is None or requirement.marker.evaluate(target):
            packages[canonicalize_name(requirement.name)] = Locked(
                version=next(iter(requirement.specifier)).version,
                hashes=tuple(_HASH.findall(entry)),
                wanted_by=frozenset(_WANTED_BY.findall(entry)),
            )
    return packages


def serving(installed: Collection[str], wanted: Mapping[str, Requirement]) -> set[str]:
    """Return the names of installed packages that galaxytune can use.

    installed: lines `NAME` or `NAME==VERSION`. wanted: the requirements of galaxytune by name; a
    package whose known version a requirement excludes is not returned. InvalidInput is raised if
    a version is no version.
    """
    names = set()
    for line in installed:
        name, _, version = line.partition("==")
        name = canonicalize_name(name)
        try:
            known = Version(version) if version else None
        except InvalidVersion:
            raise InvalidInput(
                f"{line!r} is no line of `pip list --format=freeze`, such as numpy==2.5.2"
            ) from None
        if known is None or name not in wanted or known in wanted[name].specifier:
            names.add(name)
    return names


def needed(locked: Mapping[str, Locked], wanted: Collection[str], there: set[str]) -> set[str]:
    """Return the names of all packages that a search loads, packages of `there` included.

    locked: the packages of the lock. wanted: the names that galaxytune requires. there: names of
    packages that need not be packed; what they require is there, too.
    """
    found: set[str] = set()
    waiting = set(wanted) - LEFT_OUT
    while waiting:
        name = waiting.pop()
        found.add(name)
        if name not in there:
            required = {other for other, package in locked.items() if name in package.wanted_by}
            waiting |= required - LEFT_OUT - found
    return found


def requirements() -> dict[str, Requirement]:
    """Return the requirements of galaxytune, without those of its extras, by name."""
    listed = map(Requirement, _project()["dependencies"])
    return {canonicalize_name(requirement.name): requirement for requirement in listed}


def _project() -> dict[str, Any]:
    """Return the table `project` of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def install(packages: Mapping[str, Locked], folder: Path, python: str) -> None:
    """Install packages for the machine into a folder; WorkFailed if pip cannot."""
    lines = [f"{name}=={p.version} {' '.join(p.hashes)}\n" for name, p in packages.items()]
    platforms = [f"--platform=manylinux{version}_x86_64" for version in _MANYLINUX]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(lines)
        file.flush()
        command = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--no-compile"]
        command += ["--only-binary=:all:", "--implementation=cp", f"--python-version={python}"]
        command += [*platforms, f"--target={folder}", f"--requirement={file.name}"]
        if subprocess.run(command).returncode:
            raise WorkFailed(
                "pip could not install the packages, see above; wheels for "
                f"Python {python} must exist, and the package index must be in reach"
            )


def write_metadata(folder: Path, name: str, version: str) -> None:
    """Let `importlib.metadata` find the version of a package that is not in the folder."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def is_kept(path: str) -> bool:
    """Return whether a file or folder of the installed packages is packed."""
    return not any(path == pruned or path.startswith(f"{pruned}/") for pruned in PRUNED)


def pack(folder: Path, file: Path) -> None:
    """Write an archive of what `is_kept` keeps of a folder of packages."""
    with tarfile.open(file, "w:xz", preset=9 | lzma.PRESET_EXTREME) as tar:
        for entry in sorted(folder.iterdir()):
            tar.add(entry, entry.name, filter=lambda i: i if is_kept(i.name) else None)


def pack_packages(file: Path, there: Collection[str], python: str) -> None:
    """Write the archive of the packages that a machine lacks; print their names and versions.

    there: lines of the machine's packages, see THERE. python: its version of Python.
    """
    locked = read_lock((ROOT / "requirements.lock").read_text(), python)
    wanted = requirements()
    usable = serving(there, wanted)
    names = sorted(needed(locked, wanted, usable) - usable)
    print("packages:", ", ".join(f"{name} {locked[name].version}" for name in names), flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        install({name: locked[name] for name in names}, folder, python)
        write_metadata(folder, "galaxytune", _project()["version"])
        pack(folder, file)
