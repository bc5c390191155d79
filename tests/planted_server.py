"""`exchange`, with the bug in it that the variable PLANTED_BUG names: see `planted.py`."""

from exchange.cli import main
from tests.planted import plant_from_environment

if __name__ == "__main__":
    plant_from_environment()
    main()
