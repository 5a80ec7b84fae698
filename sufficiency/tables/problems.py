"""What is wrong with an input, said once, completely and with a remedy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

MOST_ROWS_SHOWN: Final = 20
"""Further faults of the same kind in the same column are counted, not listed."""


@dataclass(frozen=True)
class InputProblem:
    """One fault of one input file.

    ``row`` is the line a person sees in a spreadsheet (the heading is row 1);
    None where the fault concerns a whole column, file or case.
    ``level`` is ``error`` (the case can't be used) or ``warning``.
    """

    file: str
    message: str
    remedy: str
    row: int | None = None
    column: str | None = None
    value: str | None = None
    check: str = ""
    level: str = "error"

    def __str__(self) -> str:
        where = self.file
        if self.row is not None:
            where += f", row {self.row}"
        if self.column:
            where += f", column {self.column}"
        value = "" if self.value is None else f" (value: {self.value})"
        check = f"[{self.check}] " if self.check else ""
        return f"{self.level}: {check}{where}: {self.message}{value}. {self.remedy}"


class InputError(ValueError):
    """All problems found in the input, raised together."""

    def __init__(self, problems: Iterable[InputProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def problems_at_rows(
    file: str,
    rows: Sequence[int],
    values: Sequence[object] | None,
    message: str,
    remedy: str,
    column: str | None = None,
    check: str = "",
    level: str = "error",
) -> list[InputProblem]:
    """One problem per row, up to MOST_ROWS_SHOWN, and one that counts the rest.

    ``rows`` (spreadsheet rows) and ``values`` have the same length; None where there is no value to show.
    """
    named = [None] * len(rows) if values is None else [str(value) for value in values[:MOST_ROWS_SHOWN]]
    shown = [
        InputProblem(file, message, remedy, row=int(row), column=column, value=value, check=check, level=level)
        for row, value in zip(rows[:MOST_ROWS_SHOWN], named[:MOST_ROWS_SHOWN], strict=True)
    ]
    rest = len(rows) - len(shown)
    if rest:
        shown.append(InputProblem(file, f"{message}: {rest} more rows", remedy, column=column, check=check, level=level))
    return shown
