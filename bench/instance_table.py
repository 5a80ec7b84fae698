"""Every published instance in ``SUFFICIENCY_INSTANCES`` through ``solve`` and, on a stated subset, through other solvers in the same run.

``python -m bench.instance_table --out DIR [--cpu-limit 30]`` writes ``instances.csv`` (one row for each instance and solver),
``instances.md`` (totals by set) and ``instances.png``. Each solve is a process of its own, one after the other, on one thread.
``index.csv`` in the folder names file, layout, published value and its meaning: the single-source values are at least the optimum of
our problem. What ``instances.csv`` in DIR already holds is not run again.

Limits are CPU seconds, so that a busy machine takes nothing away, and the same for all. Subset: HiGHS gets cap, Holmberg and Yang
whole, SCIP and CBC cap whole and of the others some (``SOME``), CP-SAT the first of each set; of capa they get capa-8000.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd

from bench.machine import machine
from bench.peers import PEERS

OURS = "solve"
SOLVERS = (OURS, *PEERS)
GAPS = {"cap": 1e-6, "capa": 1e-3, "holmberg": 1e-4, "yang": 1e-4, "tbed1": 5e-4}
"""Relative gap at which every solver may stop, by set."""
SOME = {
    "HiGHS weak": ("cap", "capa-8000.", "holmberg", "yang", "tbed1/p6.", "tbed1/p10."),
    "HiGHS strong": ("cap", "capa-8000.", "holmberg", "yang", "tbed1/p6."),
    "SCIP": ("cap", "capa-8000.", *(f"holmberg/p{number}." for number in range(5, 41, 5)), "yang/p1.", "yang/p5.", "yang/p9.", "tbed1/p6."),
    "CBC": ("cap", "capa-8000.", *(f"holmberg/p{number}." for number in range(5, 41, 5)), "yang/p1.", "yang/p5.", "yang/p9.", "tbed1/p6."),
    "CP-SAT": ("cap41.", "capa-8000.", "holmberg/p1.", "holmberg/p25.", "yang/p1.", "tbed1/p6."),
}
"""What each peer gets: whole sets, or files whose name begins so."""
KEYS = ["file", "solver"]


def main() -> None:
    """Prints the totals, too."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out") / "bench")
    parser.add_argument("--cpu-limit", type=float, default=30.0, help="CPU seconds for each solve")
    parser.add_argument("--only", default="", help="run only files whose name holds this text")
    parser.add_argument("--solver", choices=SOLVERS, action="append", help="run only these solvers")
    chosen = parser.parse_args()
    folder = os.environ.get("SUFFICIENCY_INSTANCES")
    if not folder:
        sys.exit("SUFFICIENCY_INSTANCES is not set: it names the folder of published instances")
    chosen.out.mkdir(parents=True, exist_ok=True)
    target = chosen.out / "instances.csv"
    table = pd.read_csv(target) if target.exists() else pd.DataFrame(columns=KEYS)
    index = pd.read_csv(Path(folder) / "index.csv")
    for solver in chosen.solver or SOLVERS:
        for file, layout, value in index[["file", "layout", "value"]].itertuples(index=False):
            done = ((table["file"] == file) & (table["solver"] == solver)).any()
            if done or chosen.only not in file or not _in_subset(file, solver):
                continue
            outcome = _run(Path(folder) / file, layout, solver, GAPS[set_of(file)], chosen.cpu_limit)
            row = {"file": file, "solver": solver, "published": value, **outcome}
            table = pd.concat([table, pd.DataFrame([row])], ignore_index=True) if len(table) else pd.DataFrame([row])
            table.to_csv(target, index=False)
    text = f"{machine()}\n\n{as_markdown(totals(table))}\n\n{as_markdown(details(table))}\n"
    (chosen.out / "instances.md").write_text(text)
    sys.stdout.write(text)
    _chart(table, chosen.out / "instances.png")


def set_of(file: str) -> str:
    """cap, capa, holmberg, yang or tbed1."""
    folder, name = file.split("/")
    return folder if folder != "orlib" else "capa" if "-" in name else "cap"


def totals(table: pd.DataFrame) -> pd.DataFrame:
    """By set and solver: instances, those proved to the set's gap, the largest gap, CPU s, and what ``solve`` takes for the same ones."""
    table = table.assign(set=table["file"].map(set_of))
    ours = table.loc[table["solver"] == OURS].set_index("file")["cpu_s"]
    rows = []
    for name, gap in GAPS.items():
        for solver in SOLVERS:
            part = table[(table["set"] == name) & (table["solver"] == solver)]
            if not len(part):
                continue
            rows.append(
                {
                    "set": name,
                    "solver": solver,
                    "instances": len(part),
                    f"to the gap of the set ({', '.join(f'{key} {value:g}' for key, value in GAPS.items())})": int(
                        (part["gap"] <= gap * (1 + 1e-6)).sum()
                    ),
                    "largest gap": f"{part['gap'].max():.4%}",
                    "without plan": int(part["gap"].isna().sum()),
                    "CPU s, total": f"{part['cpu_s'].sum():.1f}",
                    "CPU s, median": f"{part['cpu_s'].median():.2f}",
                    "wall s, total": f"{part['wall_s'].sum():.0f}",
                    "solve on the same, CPU s": f"{ours.reindex(part['file']).sum():.1f}",
                }
            )
    return pd.DataFrame(rows)


def details(table: pd.DataFrame) -> pd.DataFrame:
    """Plan and bound of each instance that some peer other than HiGHS was given, and of all of capa and tbed1; cap is left out."""
    others = set(table.loc[table["solver"].isin(PEERS[2:]), "file"])
    kept = table["file"].map(lambda file: set_of(file) != "cap" and (file in others or set_of(file) in ("capa", "tbed1")))
    table = table[kept].assign(place=table["solver"].map({solver: place for place, solver in enumerate(SOLVERS)}))
    table = table.sort_values(["file", "place"])
    return pd.DataFrame(
        {
            "instance": table["file"].str.removesuffix(".txt.gz"),
            "solver": table["solver"],
            "plan": table["upper"].map(lambda value: f"{value:,.2f}" if value == value else "none"),
            "bound": table["lower"].map(lambda value: f"{value:,.2f}"),
            "gap": table["gap"].map(lambda value: f"{value:.4%}" if value == value else ""),
            "plan / published value": (table["upper"] / table["published"]).map(lambda value: f"{value:.6f}" if value == value else ""),
            "CPU s": table["cpu_s"].map(lambda value: f"{value:.1f}"),
            "wall s": table["wall_s"].map(lambda value: f"{value:.0f}"),
        }
    )


def as_markdown(table: pd.DataFrame) -> str:
    """A table for the docs."""
    lines = [list(table.columns), ["---"] * len(table.columns), *table.astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _in_subset(file: str, solver: str) -> bool:
    return solver == OURS or any(some == set_of(file) or (some in file and some.endswith(".")) for some in SOME[solver])


def _run(path: Path, layout: str, solver: str, gap: float, seconds: float) -> dict[str, float | str]:
    """One solve in a process of its own: some of these libraries must not meet in one."""
    module = ["bench.instances"] if solver == OURS else ["bench.peers", "--solver", solver]
    limits = ["--layout", layout, "--gap", str(gap), "--cpu-limit", str(seconds)]
    done = subprocess.run([sys.executable, "-m", *module, str(path), *limits], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return {"termination": f"failed: {done.stderr.strip().splitlines()[-1]}"}
    outcome: dict[str, float | str] = json.loads(done.stdout.splitlines()[-1])
    return {name: value for name, value in outcome.items() if name not in ("instance", "layout")}


def _chart(table: pd.DataFrame, path: Path) -> None:
    """CPU seconds by set and solver, one dot for each instance; hollow where the gap asked for was not reached."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    table = table.assign(set=table["file"].map(set_of))
    reached = table["gap"] <= table["set"].map(GAPS) * (1 + 1e-6)
    figure, axes = plt.subplots(1, len(GAPS), figsize=(12, 3.4), sharey=True)
    place = {solver: row for row, solver in enumerate(SOLVERS)}
    for axis, name in zip(axes, GAPS, strict=True):
        for solver, row in place.items():
            part = (table["set"] == name) & (table["solver"] == solver)
            spread = row + np.linspace(-0.25, 0.25, max(int(part.sum()), 1))[: int(part.sum())]
            colour = "#d4351c" if solver == OURS else "#1d70b8"
            faces = [colour if good else "none" for good in reached[part]]
            axis.scatter(table.loc[part, "cpu_s"].clip(lower=0.01), spread, s=14, edgecolors=colour, facecolors=faces, linewidths=0.8)
        axis.set_xscale("log")
        axis.set_title(f"{name}, gap {GAPS[name]:g}", fontsize=9)
        axis.set_xlabel("CPU s", fontsize=8)
        axis.grid(visible=True, linewidth=0.3)
        axis.tick_params(labelsize=8)
    axes[0].set_yticks(list(place.values()), list(place))
    axes[0].invert_yaxis()
    figure.suptitle("Published instances: CPU seconds on one thread; hollow = gap not reached in the time", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    plt.close(figure)


if __name__ == "__main__":
    main()
