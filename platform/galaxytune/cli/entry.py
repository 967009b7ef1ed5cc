"""The start of the command line: first the path of imports, then everything else."""

from galaxytune.cluster import move_current_folder_last


def main() -> None:
    """Run the command line, as `galaxytune.cli.app.main` does; always raise SystemExit.

    The current folder moves to the end of sys.path, so that no file of the user is imported in
    place of a module. The command line itself is therefore imported afterwards.
    """
    move_current_folder_last()
    from galaxytune.cli import app

    app.main()
