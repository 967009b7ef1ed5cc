"""The start of the command line: first the path of imports, then everything else."""

import os
import sys

from galaxytune.cluster import move_current_folder_last


def main() -> None:
    """Run the command line, as `galaxytune.cli.app.main` does; always raise SystemExit.

    The current folder moves to the end of sys.path, so that no file of the user is imported in
    place of a module. The command line itself is therefore imported afterwards. The exit code is 2
    if the current folder has been deleted, because libraries cannot be loaded from there.
    """
    try:
        os.getcwd()
    except FileNotFoundError:
        print("galaxytune: the current folder no longer exists; cd to another", file=sys.stderr)
        sys.exit(2)
    move_current_folder_last()
    from galaxytune.cli import app

    app.main()
