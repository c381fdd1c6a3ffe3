"""Tables in Markdown, to be read as they are, too."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with aligned columns: the first to the left, the others to the right."""
    lines = [head, *rows]
    widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(head))]
    rule = [('-' * width if column == 0 else '-' * (width - 1) + ':')
            for column, width in enumerate(widths)]
    return '\n'.join(
        '| ' + ' | '.join(cell.ljust(width) if column == 0 else cell.rjust(width)
                          for column, (cell, width) in enumerate(zip(line, widths))) + ' |'
        for line in (head, rule, *rows))
