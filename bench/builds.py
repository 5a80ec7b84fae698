"""What it takes to hand the model of one council to HiGHS, MathOpt, PuLP and linopy: ``python -m bench.builds --out DIR [--areas 60]``.

The model is that of a fictional council with every arc, the same arrays for all. Each library fills its own form in a process of its own:
CPU seconds, and the memory that it then holds. Writes ``builds.md``.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import linopy
import numpy as np
import pandas as pd
import xarray as xr

from bench.instance_table import as_markdown
from bench.machine import machine
from fixtures.region import fictional_region
from solver.backends.highs import HighsBackend
from solver.backends.ortools import OrtoolsBackend
from solver.backends.pulp import PulpBackend
from solver.direct import place_entrants
from solver.formulation import build_core
from solver.linear_model import ModelArrays
from solver.pricing import all_arcs
from sufficiency.formulate import formulate


class Linopy:
    """Fills linopy's labelled arrays: rows of about as many entries as one block, shorter ones padded with zeros."""

    def build(self, model: ModelArrays) -> linopy.Model:
        """The model in linopy's form."""
        filled = linopy.Model()
        columns = [pd.RangeIndex(len(model.cost), name="column")]
        x = filled.add_variables(model.lower, model.upper, coords=columns, name="x", integer=False)
        whole = [pd.Index(np.nonzero(model.integer)[0], name="whole")]
        y = filled.add_variables(model.lower[model.integer], model.upper[model.integer], coords=whole, name="y", integer=True)
        filled.add_constraints(x.sel(column=xr.DataArray(whole[0], dims="whole", coords={"whole": whole[0]})) - y == 0, name="whole")
        filled.add_objective((x * xr.DataArray(model.cost, coords=columns)).sum())
        rows, equal = model.matrix.tocsr(), model.row_lower == model.row_upper
        sides = {
            "=": (equal, model.row_lower),
            ">=": (~equal & np.isfinite(model.row_lower), model.row_lower),
            "<=": (~equal & np.isfinite(model.row_upper), model.row_upper),
        }
        width = np.ceil(np.log2(np.maximum(1, np.diff(rows.indptr)))).astype(int)
        for size in np.unique(width):
            number = np.nonzero(width == size)[0]
            term = rows.indptr[number][:, None] + np.arange(2**size)
            there = term < rows.indptr[number + 1][:, None]
            term = np.where(there, term, rows.indptr[number][:, None])
            coords = {"row": number, "term": np.arange(2**size)}
            column = xr.DataArray(rows.indices[term], coords=coords)
            weight = xr.DataArray(np.where(there, rows.data[term], 0.0), coords=coords)
            left = (x.sel(column=column) * weight).sum("term")
            for sign, (given, limit) in sides.items():
                if (known := given[number]).any():
                    right = xr.DataArray(limit[number][known], coords={"row": number[known]})
                    filled.add_constraints(left.sel(row=number[known]), sign, right, name=f"{sign} {size}")
        return filled


BUILDERS = {"HiGHS (passModel)": HighsBackend, "MathOpt (filled protos)": OrtoolsBackend, "PuLP": PulpBackend, "linopy": Linopy}


def main() -> None:
    """Prints the table, too."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out") / "bench")
    parser.add_argument("--areas", type=int, default=60)
    parser.add_argument("--library", choices=sorted(BUILDERS), help="measure only this one, as a line of JSON")
    chosen = parser.parse_args()
    if chosen.library:
        sys.stdout.write(json.dumps(_measured(chosen.library, chosen.areas)) + "\n")
        return
    chosen.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for library in BUILDERS:
        command = [sys.executable, "-m", "bench.builds", "--library", library, "--areas", str(chosen.areas)]
        rows.append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]))
    text = f"{machine()}\n\n{as_markdown(pd.DataFrame(rows))}\n"
    (chosen.out / "builds.md").write_text(text)
    sys.stdout.write(text)


def _measured(library: str, areas: int) -> dict[str, str | int]:
    problem = formulate(fictional_region(1, councils=1, areas=areas)).problem
    core = build_core(problem)
    place_entrants(core, all_arcs(problem))
    model = core.model.arrays()
    backend = BUILDERS[library]()
    before, cpu = _resident_mb(), time.process_time()
    built = backend.build(model)
    cpu, rise = time.process_time() - cpu, _resident_mb() - before
    del built
    return {
        "library": library,
        "columns": len(model.cost),
        "rows": len(model.row_lower),
        "entries": model.matrix.nnz,
        "CPU s": f"{cpu:.2f}",
        "memory it then holds, MB": f"{rise:.0f}",
    }


def _resident_mb() -> float:
    """Memory in use now (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


if __name__ == "__main__":
    main()
