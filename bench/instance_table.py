"""Every published instance in ``SUFFICIENCY_INSTANCES``: a table of plan, bound, gap and time, and a chart of the gaps.

``python -m bench.instance_table --out DIR [--time-limit 120]`` writes ``instances.csv`` and ``instances.png``. ``index.csv`` in the
folder names file, layout, published value and its meaning: the single-source values are at least the optimum of our problem.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import pandas as pd

from bench.instances import INSTANCE_OPTIONS, read_instance, run_instance


def main() -> None:
    """Prints the table, too."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out") / "bench")
    parser.add_argument("--time-limit", type=float, default=120.0)
    parser.add_argument("--only", default="", help="run only files whose name holds this text")
    chosen = parser.parse_args()
    folder = os.environ.get("SUFFICIENCY_INSTANCES")
    if not folder:
        sys.exit("SUFFICIENCY_INSTANCES is not set: it names the folder of published instances")
    chosen.out.mkdir(parents=True, exist_ok=True)
    index = pd.read_csv(Path(folder) / "index.csv")
    rows = []
    for file, layout, value in index.loc[index["file"].str.contains(chosen.only, regex=False), ["file", "layout", "value"]].itertuples(
        index=False
    ):
        outcome = run_instance(read_instance(Path(folder) / file, layout), replace(INSTANCE_OPTIONS, seconds=chosen.time_limit))
        rows.append({"file": file, "published": value, **vars(outcome)})
        pd.DataFrame(rows).to_csv(chosen.out / "instances.csv", index=False)
    table = pd.DataFrame(rows)
    sys.stdout.write(table.to_string(index=False) + "\n")
    _chart(table, chosen.out / "instances.png")


def _chart(table: pd.DataFrame, path: Path) -> None:
    """CPU seconds by instance; those that are not proved carry their gap in words."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 0.18 * len(table) + 1))
    axes.plot(table["cpu_s"].clip(lower=0.01), table["file"], "o", color="#1d70b8", markersize=4)
    axes.grid(visible=True, linewidth=0.3)
    for row, (gap, seconds) in enumerate(zip(table["gap"], table["cpu_s"], strict=True)):
        if not gap <= 1e-6:
            axes.text(seconds, row, f"  gap {gap:.2%}" if gap == gap else "  no plan", va="center", fontsize=6)
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=6)
    axes.set_xlabel("CPU seconds to proof (one thread), or to the time limit where a gap is written")
    figure.tight_layout()
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
