"""Finds the code in a Markdown document, each line where it stands there."""

from pathlib import Path

FENCE = "```"


def code(document: Path, language: str) -> str:
    """Return all blocks of a language as one program; errors then name the document's lines."""
    lines: list[str] = []
    inside: str | None = None
    for line in document.read_text("utf-8").splitlines():
        if line.startswith(FENCE):
            inside = line.removeprefix(FENCE).strip() if inside is None else None
            lines.append("")
        else:
            lines.append(line if inside == language else "")
    assert inside is None, f"{document.name} ends within a block"
    return "\n".join(lines) + "\n"


def languages(document: Path) -> set[str]:
    """Return the languages of a document's blocks."""
    lines = [line for line in document.read_text("utf-8").splitlines() if line.startswith(FENCE)]
    return {line.removeprefix(FENCE).strip() for line in lines[::2]}
