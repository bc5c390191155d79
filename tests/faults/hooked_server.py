"""`exchange`, with the hooks that the variable HOOKS names by commas: see `hooks.py`."""

import os

from exchange.cli import main
from tests.faults.hooks import HOOKS
from tests.planted import plant_from_environment

if __name__ == "__main__":
    plant_from_environment()
    for name in filter(None, os.environ.get("HOOKS", "").split(",")):
        HOOKS[name]()
    main()
