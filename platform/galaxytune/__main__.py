"""`python -m galaxytune` runs the command line, also where the command is not installed."""

from galaxytune.cli import main

if __name__ == "__main__":
    main()
