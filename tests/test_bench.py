"""The benchmarks measure what they say: the same model for every library, one size changed at a time, power laws found again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bench.builds import Linopy
from bench.growth import MIDDLE, VARIED, Size, first_within, measured, slopes
from fixtures.tiny import tiny_case
from solver.backends.highs import HighsBackend
from solver.backends.protocol import Limits
from solver.direct import place_entrants
from solver.formulation import build_core
from solver.pricing import all_arcs
from solver.result import Progress
from sufficiency.formulate import formulate


@pytest.mark.parametrize("relax", [True, False])
def test_linopy_is_given_the_model_that_the_others_get(relax: bool) -> None:
    problem = formulate(tiny_case()).problem
    core = build_core(problem)
    place_entrants(core, all_arcs(problem))
    model = core.model.arrays()
    engine = Linopy().build(model).to_highspy()
    engine.setOptionValue("output_flag", False)
    engine.setOptionValue("mip_rel_gap", 0.0)
    engine.setOptionValue("solve_relaxation", relax)
    engine.run()
    ours = HighsBackend().solve(model, Limits(0.0, 60.0, 1), relax=relax)
    assert engine.getInfo().objective_function_value + model.offset == pytest.approx(ours.objective, rel=1e-7)


def test_one_size_is_changed_at_a_time() -> None:
    for name, sizes in VARIED.items():
        for size in sizes:
            others = {key: value for key, value in vars(size).items() if key != name}
            assert others == {key: value for key, value in vars(MIDDLE).items() if key != name}


def test_a_size_is_measured_in_every_scenario() -> None:
    one, three = (measured(Size(1, 60, 1, scenarios), 3.0) for scenarios in (1, 3))
    # a cell whose entrants are none in one scenario may have some in another
    assert three["cells"] == pytest.approx(3 * int(one["cells"]), rel=0.05)
    assert three["projects"] == one["projects"]


def test_a_plan_counts_once_its_flows_are_known() -> None:
    steps = [("options", 100.0, 99.0), ("flows", np.inf, 99.0), ("flows", 110.0, 99.0), ("parts", 104.0, 99.0), ("parts", 100.0, 99.5)]
    log = [(float(cpu), Progress(0.0, *step)) for cpu, step in enumerate(steps)]
    assert [first_within(share, log) for share in (0.2, 0.05, 0.01)] == [2.0, 3.0, 4.0]
    assert np.isnan(first_within(0.001, log))


def test_slopes_are_the_exponents_of_the_sizes() -> None:
    sizes = {size for row in VARIED.values() for size in row}
    table = pd.DataFrame([vars(size) for size in sizes])
    law = table["areas"] ** 1.5 * table["councils"] ** 0.5 * table["years"] ** 2.0 * table["scenarios"]
    table = table.assign(**{"within_5%_cpu_s": law, "peak_mb": np.sqrt(law)})
    found = slopes(table).set_index("changed")
    assert found["CPU s to within 5 %"].astype(float).to_dict() == {"areas": 1.5, "councils": 0.5, "years": 2.0, "scenarios": 1.0}
    assert found["peak memory, MB"].astype(float).to_dict() == {"areas": 0.75, "councils": 0.25, "years": 1.0, "scenarios": 0.5}
