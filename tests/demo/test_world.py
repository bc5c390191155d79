from pathlib import Path

from exchange.demo.world import _read, _write


def test_tokens_are_kept_for_the_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "demo.tokens"
    _write(file, {"alice": "a=b", "bob": "c"})
    _write(file, {"alice": "d", "bob": "c"})

    assert file.stat().st_mode & 0o777 == 0o600
    assert _read(file) == {"alice": "d", "bob": "c"}
    assert list(tmp_path.iterdir()) == [file]


def test_no_file_holds_no_tokens(tmp_path: Path) -> None:
    assert _read(tmp_path / "demo.tokens") == {}
