"""`python -m agio`: the same as the `agio` command."""

from agio.cli import main

if __name__ == "__main__":
    main()
