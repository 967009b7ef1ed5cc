"""One search of benchmarks/real_searches.py, in a process of its own.

    python benchmarks/real_search_parts/one_search.py ASKED.json FOUND.json

ASKED.json holds the fields of an AskedSearch. FOUND.json gets what the driver heard, with the
versions, the machine, and the load of the machine when the search began.
"""

import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.real_search_parts.asked_search import OURS, AskedSearch
from benchmarks.real_search_parts.heard_search import HeardSearch
from galaxytune.plan import package_versions
from search_spaces.declaration import WorkFailed
from trainables.files import write_atomically


def main() -> None:
    """Run the search and write what was heard; the clock starts before Ray is imported."""
    asked_file, found_file = map(Path, sys.argv[1:])
    asked = AskedSearch(**json.loads(asked_file.read_text()))
    load, heard = os.getloadavg()[0], HeardSearch(began=time.monotonic())
    with tempfile.TemporaryDirectory() as name:
        if asked.method == OURS:
            from benchmarks.real_search_parts.own_search import run_own_search as run
        else:
            from benchmarks.real_search_parts.tune_search import run_tune_search as run
        run(asked, Path(name), heard)
        values = heard.as_values()
    if not heard.reports:
        raise WorkFailed("no trial reported an epoch")
    found = {
        **asked.described(),
        **values,
        "load_at_start": load,
        "versions": package_versions(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }
    write_atomically(found_file, lambda new: new.write_text(json.dumps(found)))


if __name__ == "__main__":
    main()
