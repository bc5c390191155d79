"""`exchange`, with the hooks that the variable HOOKS names by commas: see `hooks.py`."""

import os

from exchange.cli import main
from tests.faults.hooks import HOOKS

if __name__ == "__main__":
    for name in filter(None, os.environ.get("HOOKS", "").split(",")):
        HOOKS[name]()
    main()
