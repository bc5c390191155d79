"""Which seeds the random runs take: `--seeds` says how many, `--seed` names a single one."""

import pytest


def parametrize_seeds(metafunc: pytest.Metafunc, usual: int = 100) -> None:
    """Run a test that takes a seed once for each."""
    if "seed" not in metafunc.fixturenames:
        return
    single = metafunc.config.getoption("--seed")
    count = metafunc.config.getoption("--seeds") or usual
    metafunc.parametrize("seed", range(count) if single is None else [single])
