"""``python -m bench --out DIR``: every benchmark that can run here, its tables under DIR.

Instances need ``SUFFICIENCY_INSTANCES``, the benchmarks on real roads and minutes ``SUFFICIENCY_DATA``, the comparison with OSRM also
``OSRM_PYTHON`` (an interpreter that has osrm-bindings); without them they are left out, which the summary says.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

BENCHMARKS = {
    "instances": (["bench.instance_table"], ["SUFFICIENCY_INSTANCES"]),
    "headroom": (["bench.headroom"], []),
    "builds": (["bench.builds"], []),
    "councils": (["bench.councils"], []),
    "growth": (["bench.growth"], []),
    "travel growth": (["bench.travel", "growth"], []),
    "travel county": (["bench.travel", "rutland"], ["SUFFICIENCY_DATA"]),
    "travel England": (["bench.travel", "england"], []),
    "travel estimate": (["bench.travel_estimate"], ["SUFFICIENCY_DATA"]),
    "travel OSRM": (["bench.travel_osrm"], ["SUFFICIENCY_DATA", "OSRM_PYTHON"]),
    "service load": (["bench.service_load"], []),
}
"""Name: (module with its arguments, environment variables it needs)."""
ONLY_WHEN_ASKED = {"service load"}
"""Those that need a running service."""
WITH_TABLES = {"instances", "headroom", "builds", "councils", "growth"}
"""Those that write tables of their own, too."""


def main() -> None:
    """Runs them one after the other, each in a process of its own; exit status 1 when one fails."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out") / "bench")
    parser.add_argument("--only", choices=sorted(BENCHMARKS), action="append", help="run only these")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    failed = False
    for name, (command, variables) in BENCHMARKS.items():
        if name not in chosen.only if chosen.only else name in ONLY_WHEN_ASKED:
            continue
        unset = [variable for variable in variables if not os.environ.get(variable)]
        if unset:
            sys.stdout.write(f"{name}: left out, {' and '.join(unset)} not set\n")
            continue
        target = chosen.out / f"{name.replace(' ', '_')}.txt"
        extra = ["--out", str(chosen.out)] if name in WITH_TABLES else []
        done = subprocess.run([sys.executable, "-m", *command, *extra], capture_output=True, text=True, check=False)
        target.write_text(done.stdout if done.returncode == 0 else done.stdout + done.stderr)
        failed |= done.returncode != 0
        sys.stdout.write(f"{name}: {'written to' if done.returncode == 0 else 'failed, see'} {target}\n")
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
