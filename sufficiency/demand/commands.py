"""The forecast and the back-test as commands: files written whole, and a summary to print."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from sufficiency.build.council_tables import WITH_NEEDS
from sufficiency.demand.backtest import METHODS, BackTest, back_test
from sufficiency.demand.charts import backtest_charts, fan_charts
from sufficiency.demand.forecast import Forecast, forecast
from sufficiency.demand.levers import read_levers
from sufficiency.demand.own_rates import moves_to_show, own_counts, placements_to_show, setting_kinds
from sufficiency.demand.scap import scap_table
from sufficiency.demand.statement import accuracy_statement, assumptions_text, bars
from sufficiency.demand.targets import Forecaster
from sufficiency.demand.tuning import tuning_table
from sufficiency.sources import ehc_plans
from sufficiency.sources.boundaries import councils as all_councils
from sufficiency.sources.boundaries import resolve_councils
from sufficiency.sources.gias import register
from sufficiency.sources.sen2_return import read_postcodes, read_return

DECIMALS: Final = 3


@dataclass(frozen=True)
class Summary:
    """What was written where, in words."""

    out: Path
    files: tuple[str, ...]
    text: str


def run_forecast(
    data: Path,
    out: Path,
    origin: int = WITH_NEEDS,
    years: int = 10,
    draws: int = 1000,
    seed: int = 1,
    levers: Sequence[str] = (),
    charts: Sequence[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Summary:
    """Write the forecast of every council.

    forecast.csv.gz (council x phase x need x category x January), by_age.csv.gz, totals.csv (with England), ap.csv, scap.csv,
    fees.csv, assumptions.md, accuracy.md, charts/<council>.png. ``levers``: shipped names or TOML files. ``charts``: councils to
    draw (None = all). Raises InputError, or ValueError for an origin without needs by council.
    """
    found = read_levers(levers)
    table = all_councils(data)
    names = dict(zip(table["council_code"], table["council_name"], strict=True))
    chosen = list(names) if charts is None else resolve_councils(data, charts)
    result = forecast(data, origin, years, draws, seed, found, progress)
    test = back_test(Forecaster.from_data(data), progress)
    with _whole(out) as work:
        _write(result.table, work / "forecast.csv.gz")
        _write(result.by_age, work / "by_age.csv.gz")
        _write(_named(result.totals, names), work / "totals.csv")
        _write(_named(result.ap, names), work / "ap.csv")
        _write(_named(scap_table(result), names), work / "scap.csv")
        _write(result.fees, work / "fees.csv")
        (work / "assumptions.md").write_text(assumptions_text(result), encoding="utf-8")
        (work / "accuracy.md").write_text(accuracy_statement(test), encoding="utf-8")
        if chosen:
            fan_charts(result, ehc_plans.caseload(data), {code: names[code] for code in chosen}, work / "charts", progress)
    return Summary(Path(out), _files(out), _forecast_words(result))


def run_backtest(data: Path, out: Path, progress: Callable[[str], None] | None = None) -> Summary:
    """Write backtest.csv, pooled.csv, bars.csv, areas.csv (scored areas and exclusions), tuning.csv, error_models.csv,
    accuracy.md and charts."""
    forecaster = Forecaster.from_data(data)
    test = back_test(forecaster, progress)
    checked = bars(test)
    if progress:
        progress("Settings on Januaries to 2021")
    tuning = tuning_table(forecaster)
    with _whole(out) as work:
        _write(test.scores, work / "backtest.csv")
        _write(test.pooled, work / "pooled.csv")
        _write(checked, work / "bars.csv")
        _write(test.areas, work / "areas.csv")
        _write(tuning, work / "tuning.csv")
        test.models.to_csv(work / "error_models.csv", index=False, lineterminator="\n")
        (work / "accuracy.md").write_text(accuracy_statement(test), encoding="utf-8")
        backtest_charts(test.scores, test.pooled, work / "charts")
    return Summary(Path(out), _files(out), _backtest_words(test, checked))


def run_own_rates(
    returns: Sequence[Path], key_file: Path, postcodes: Path, data: Path, out: Path, progress: Callable[[str], None] | None = None
) -> Summary:
    """Counts from a council's own SEN2 returns (Blade folders or XML files): moves.csv by phase, placements.csv by setting.

    ``key_file`` holds the secret that hashes the UPNs. Counts of 1 to 4 are shown as ``c``; nothing about a person is written.
    Raises InputError (record numbers only) or ValueError when the returns can't be followed.
    """
    key, lookup, kinds = Path(key_file).read_bytes().strip(), read_postcodes(postcodes), setting_kinds(register(data))
    read = []
    for number, path in enumerate(returns, start=1):
        if progress:
            progress(f"Reading return {number} of {len(returns)}")
        read.append(read_return(path, key, lookup, kinds))
    counts = own_counts(read)
    current = max(read, key=lambda each: each.january)
    warnings = pd.DataFrame(
        [
            {"january": each.january, "record": problem.row, "column": problem.column, "message": problem.message}
            for each in read
            for problem in each.problems
        ],
        columns=["january", "record", "column", "message"],
    )
    with _whole(out) as work:
        _write(moves_to_show(counts), work / "moves.csv")
        _write(placements_to_show(current), work / "placements.csv")
        _write(warnings, work / "warnings.csv")
    text = f"{len(read)} returns, {len(current.pupils)} plans in January {current.january}, {len(warnings)} warnings by record number"
    return Summary(Path(out), _files(out), text)


@contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """A temporary folder beside ``out`` whose files replace those of ``out`` once all are written."""
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        yield work
        for path in sorted(work.iterdir()):
            target = out / path.name
            if target.is_dir():
                shutil.rmtree(target)
            path.replace(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _write(table: pd.DataFrame, path: Path) -> None:
    figures = table.select_dtypes("float").columns
    compression = {"method": "gzip", "mtime": 0, "compresslevel": 1} if path.suffix == ".gz" else None
    table.assign(**{name: table[name].round(DECIMALS) for name in figures}).to_csv(
        path, index=False, lineterminator="\n", compression=compression
    )


def _named(table: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """The table with the council's name beside its code."""
    table = table.copy()
    table.insert(1, "council_name", table["council"].map({**names, "England": "England"}))
    return table


def _files(out: Path) -> tuple[str, ...]:
    return tuple(sorted(str(path.relative_to(out)) for path in Path(out).rglob("*") if path.is_file()))


def _forecast_words(result: Forecast) -> str:
    england = result.totals[(result.totals["council"] == "England")]
    lines = [f"England, pupils with an EHC plan (low, central, high), from January {result.origin}:"]
    for january in result.januaries[:: max(1, (len(result.januaries) - 1) // 5)]:
        row = england[(england["category"] == "all") & (england["january"] == january)].iloc[0]
        lines.append(f"  {january}: {row['low']:>11,.0f} {row['central']:>11,.0f} {row['high']:>11,.0f}")
    return "\n".join(lines)


def _backtest_words(test: BackTest, checked: pd.DataFrame) -> str:
    table = test.pooled.assign(series=(test.pooled["target"] + " " + test.pooled["band"]).str.strip())
    lines = []
    for figure in ("mape", "wape"):
        wide = table.pivot_table(index=["series", "horizon"], columns="method", values=figure, sort=False)[list(METHODS)]
        lines += [f"{figure.upper()}, %, pooled over origins 2021 to 2023", wide.round(1).to_string(), ""]
    model = table[table["method"] == "model"].set_index(["series", "horizon"])
    lines += ["Model: bias and 80 % interval, %", model[["bias", "bias_of_sum", "coverage80", "width80", "areas"]].round(1).to_string(), ""]
    lines.append(f"Bars met: {int(checked['met'].sum())} of {len(checked)}")
    lines += [
        f"  missed: {row.bar}, {row.target} {row.band} {row.horizon}: {row.measured} (limit {row.limit})"
        for row in checked[~checked["met"]].itertuples()
    ]
    return "\n".join(lines)
