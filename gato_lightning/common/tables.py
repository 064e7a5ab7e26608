"""Tables for the terminal: readable at 80 columns, with names in full."""

from collections.abc import Collection, Sequence

from rich import box
from rich.table import Table


def narrow_table(title: str, columns: Sequence[str], names: Collection[str], caption: str = "") -> Table:
    """An empty table that spends little width between its columns.

    Args:
        title: above it.
        columns: headers.
        names: columns of text, to the left, which are folded where the terminal is too narrow; the others are numbers, which
            stay whole.
        caption: below it.
    """
    table = Table(
        title=title, caption=caption or None, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, title_justify="left"
    )
    for column in columns:
        if column in names:
            table.add_column(column, overflow="fold")
        else:
            table.add_column(column, justify="right", no_wrap=True)
    return table
