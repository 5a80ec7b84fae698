"""What is wrong with an input, said once, completely and with a remedy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


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
