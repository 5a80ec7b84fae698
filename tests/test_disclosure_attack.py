"""The protected profile is attacked: margins, tables beside each other, two runs, filters, maps, headline and comparison."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from disclosure_attack import Attack, narrowed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plan_example import example_case, example_plan

from sufficiency.case import Case
from sufficiency.compare import compare_plans
from sufficiency.disclosure import count_totals, shown_by_variant, shown_plan, zones
from sufficiency.disclosure.rules import is_hidden
from sufficiency.disclosure.specification import KINDS, LOCATED, PARTS
from sufficiency.disclosure.totals import MEASURES, estimated, kept_back, shown_needs, totals_of_needs
from sufficiency.outputs.figures import ALL
from sufficiency.plan import Plan, PlanTables

MARGINS = (
    ["council_code", "need_group"],
    ["council_code", "phase"],
    ["need_group", "phase"],
    ["council_code"],
    ["need_group"],
    ["phase"],
    [],
)
KEY = ["council_code", "need_group", "phase", "academic_year"]


@pytest.fixture(scope="module")
def case() -> Case:
    return replace(example_case(), disclosure="protected")


@pytest.fixture(scope="module")
def plan(case: Case) -> Plan:
    return example_plan(case)


def attack_on_needs(exact: pd.DataFrame, margins: tuple[list[str], ...] = MARGINS, run: str = "") -> Attack:
    """Needs of one year with every total by council, need and phase; names are (run, row key, column)."""
    attack = Attack()
    add_needs(attack, exact, margins, run)
    return attack


def add_needs(attack: Attack, exact: pd.DataFrame, margins: tuple[list[str], ...] = MARGINS, run: str = "") -> None:
    shown = shown_needs(exact)
    back, figures = kept_back(shown), estimated(exact, shown)
    columns = ["demand", *PARTS]
    at = {row: tuple(exact.loc[row, KEY]) for row in exact.index}
    names = {(row, column): (run, at[row], column) for row in exact.index for column in columns}
    for (row, column), name in names.items():
        attack.count(name, exact.at[row, column], shown.at[row, column], kept_back=bool(back[row]) and column != "demand")
    for row in exact.index:
        attack.equal([names[row, "demand"]], [names[row, part] for part in PARTS])
    as_shown = {name: shown.at[row, column] for (row, column), name in names.items()}
    estimates = {name: figures.at[row, column] for (row, column), name in names.items()}
    for column in columns:
        attack.column([names[row, column] for row in exact.index if column == "demand" or not back[row]], as_shown)
    measures = {name: MEASURES[name] for name in ("demand", "placed", "unmet", "independent")} | {kind: [kind] for kind in KINDS}
    for by in margins:
        totals = totals_of_needs(exact, [*by, "academic_year"], measures, protected=True)
        for row in totals.to_dict("records"):
            rows = exact.index[(exact[by] == pd.Series(row)[by]).all(axis=1)] if by else exact.index
            for measure, parts in measures.items():
                attack.total([names[cell, part] for cell in rows for part in parts], row[measure], estimates)


def of_year(tables: PlanTables, year: str) -> dict[str, pd.DataFrame]:
    return {
        name: table[table["academic_year"] == year].reset_index(drop=True)
        for name, table in vars(tables).items()
        if "academic_year" in table
    }


def attack_on_plan(plan: Plan, case: Case, variant: str, year: str) -> Attack:
    """Everything that leaves of one year: needs with their totals, journeys, access, pools, and figures of zones."""
    exact, shown = (of_year(getattr(of, variant), year) for of in (plan, shown_plan(plan, case)))
    attack = attack_on_needs(exact["needs"])
    where = {tuple(row): number for number, row in enumerate(exact["needs"][KEY].to_numpy())}
    for name in ("travel", "access"):
        for before, after in zip(exact[name].to_dict("records"), shown[name].to_dict("records"), strict=True):
            key = tuple(before[column] for column in KEY)
            attack.count(
                (name, key),
                before["pupils"],
                after["pupils"],
                kept_back=bool(np.isnan(after["pupils"])) and not is_hidden(before["pupils"]),
            )
            if key in where:
                attack.equal([(name, key)], [("", key, part) for part in (LOCATED if name == "travel" else ["demand"])])
    for kind in KINDS:
        pools = []
        for before, after in zip(exact["places"].to_dict("records"), shown["places"].to_dict("records"), strict=True):
            if before["kind"] == kind:
                pools.append(("pool", before["pool_id"]))
                back = bool(np.isnan(after["pupils"])) and not is_hidden(before["pupils"])
                attack.count(pools[-1], before["pupils"], after["pupils"], kept_back=back)
        if pools:
            attack.equal(pools, [("", key, kind) for key in where])
    add_zones(attack, plan, case, variant, year, list(where))
    return attack


def add_zones(attack: Attack, plan: Plan, case: Case, variant: str, year: str, keys: list[tuple[str, ...]]) -> None:
    protected, exact = (shown_by_variant(plan, replace(case, disclosure=of))[variant].areas for of in ("protected", "open"))
    zone = zones(case)
    exact = exact[(exact["academic_year"] == year) & (exact["need_group"] == ALL) & exact["zone_id"].isin(zone.index)]
    truth = exact.assign(zone_id=exact["zone_id"].map(zone)).groupby("zone_id")[["unmet", "independent"]].sum()
    shown = protected[(protected["academic_year"] == year) & (protected["need_group"] == ALL)].set_index("zone_id").loc[truth.index]
    council = case.areas.set_index(case.areas["area_id"].map(zone))["council_code"].groupby(level=0).first()
    for measure in ("unmet", "independent"):
        for code in council.unique():
            here = [name for name in truth.index if council[name] == code]
            hidden = shown.loc[here, measure].isna()
            for name in here:
                back = bool(hidden.all()) or (bool(hidden[name]) and not is_hidden(truth.at[name, measure]))
                attack.count(("zone", name, measure), truth.at[name, measure], shown.at[name, measure], kept_back=back)
            attack.equal(
                [("zone", name, measure) for name in here],
                [("", key, part) for key in keys if key[0] == code for part in MEASURES[measure]],
            )


def test_an_attacker_pins_the_counts_of_exact_margins(plan: Plan, case: Case) -> None:
    """The attack has teeth: with exact totals, as many releases print them, it finds hidden counts to within half a pupil."""
    needs = of_year(plan.plan, case.academic_years[0])["needs"]
    attack = attack_on_needs(needs, margins=())
    for by in MARGINS:
        for _, rows in needs.groupby([*by, "academic_year"]):
            for column in ("demand", *PARTS):
                total = rows[column].sum()
                attack.between(total, {("", tuple(rows.loc[row, KEY]), column): 1.0 for row in rows.index}, total)
    ranges = attack.range_of(attack.hidden()[:30])
    assert len(narrowed(ranges)) > 5
    assert sum(high - low < 0.5 for low, high in ranges.values()) > 3


@pytest.mark.parametrize("variant", ["counterfactual", "plan"])
def test_no_hidden_count_is_narrowed_by_all_that_leaves(plan: Plan, case: Case, variant: str) -> None:
    attack = attack_on_plan(plan, case, variant, case.academic_years[-1])
    hidden = attack.hidden()
    assert len(hidden) > 100
    assert {name[0] for name in hidden} >= {"", "travel", "pool", "zone"}  # type: ignore[index]
    assert narrowed(attack.range_of(hidden[:: 1 + len(hidden) // 25])) == {}


def test_no_hidden_count_is_narrowed_by_two_runs(plan: Plan, case: Case) -> None:
    """Two plans of one case: the same demand, other placements; where a row's placements are the same, the attacker knows it."""
    year = case.academic_years[-1]
    first, second = (of_year(tables, year)["needs"] for tables in (plan.plan, plan.rule))
    attack = attack_on_needs(first, run="plan")
    add_needs(attack, second, run="rule")
    for key in first[KEY].itertuples(index=False, name=None):
        for column in ("demand", *PARTS):
            names = [("plan", key, column), ("rule", key, column)]
            if all(name in attack.truth for name in names) and abs(attack.truth[names[0]] - attack.truth[names[1]]) < 1e-9:
                attack.equal(names[:1], names[1:])
    hidden = attack.hidden()
    assert narrowed(attack.range_of(hidden[:: 1 + len(hidden) // 25])) == {}


def test_the_same_count_shows_the_same_everywhere(plan: Plan, case: Case) -> None:
    """No averaging out: demand is the same in three worlds, in access and in any filter of the table."""
    shown = shown_plan(plan, case)
    demand = [getattr(shown, world).needs.set_index(KEY)["demand"] for world in ("plan", "counterfactual", "rule")]
    for other in demand[1:]:
        pd.testing.assert_series_equal(demand[0], other)
    beside = shown.plan.access.set_index(KEY)["pupils"].reindex(demand[0].index).dropna()
    assert (beside == demand[0].loc[beside.index]).all()
    one = plan.plan.needs[plan.plan.needs["council_code"] == case.councils["council_code"].iloc[0]].reset_index(drop=True)
    filtered = shown.plan.needs[shown.plan.needs["council_code"] == case.councils["council_code"].iloc[0]].reset_index(drop=True)
    pd.testing.assert_frame_equal(shown_needs(one), filtered)


def test_headline_map_and_comparison_say_what_the_tables_say(plan: Plan, case: Case) -> None:
    shown, maps = shown_plan(plan, case), shown_by_variant(plan, case)
    totals = count_totals(plan.plan, case, ["academic_year"]).set_index("academic_year")
    for year, stated in shown.summary["unmet"].items():
        assert stated == totals.at[year, "unmet"] or (stated is None and np.isnan(totals.at[year, "unmet"]))
    whole = maps["plan"].areas
    whole = whole[(whole["zone_id"] == ALL) & (whole["need_group"] == ALL)].set_index("academic_year")
    pd.testing.assert_series_equal(whole["unmet"], totals["unmet"], check_names=False)
    pd.testing.assert_series_equal(whole["pupils"], totals["placed"], check_names=False)
    other = replace(plan, plan=plan.rule)
    compared = {row["name"]: row for row in compare_plans(shown, shown_plan(other, case))["figures"]}
    for name in ("Independent placements avoided, last year", "Pupils without a place, last year"):
        values = [compared[name][key] for key in ("first", "second", "difference")]
        assert all(value is None or value % 5 == 0 for value in values)
    assert compared["Cost of the plan"]["first"] % 500_000 == 0


def test_a_table_filtered_before_it_is_shown_gives_no_more_than_one_filtered_after(plan: Plan, case: Case) -> None:
    """Totals of one council alone and of all: the attacker subtracts, and finds only what the rows show."""
    needs = of_year(plan.plan, case.academic_years[-1])["needs"]
    attack = attack_on_needs(needs)
    for _, rows in needs.groupby("council_code"):
        add_needs(attack, rows.reset_index(drop=True))
    hidden = attack.hidden()
    assert narrowed(attack.range_of(hidden[:: 1 + len(hidden) // 25])) == {}


@st.composite
def small_needs(draw: st.DrawFn) -> pd.DataFrame:
    """Up to twelve rows with up to three kinds in use, whole or modelled counts."""
    shape = [draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 2))]
    kinds = draw(st.integers(1, 3))
    whole = st.integers(0, 25).map(float)
    count = draw(st.sampled_from([whole, st.integers(0, 5).map(float), st.floats(0, 12, allow_nan=False)]))
    rows = []
    for council in range(shape[0]):
        for need in range(shape[1]):
            for phase in range(shape[2]):
                parts = dict.fromkeys(PARTS, 0.0) | {part: draw(count) for part in PARTS[:kinds]}
                key = dict(zip(KEY, (f"C{council}", f"N{need}", f"P{phase}", "2022/23"), strict=True))
                rows.append(key | {"demand": sum(parts.values())} | parts | {"in_new_places": 0.0, "latent": 0.0})
    return pd.DataFrame(rows)


@given(small_needs())
@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_no_small_table_gives_a_hidden_count_away(needs: pd.DataFrame) -> None:
    attack = attack_on_needs(needs, margins=(["council_code", "need_group"], ["council_code"], ["phase"], []))
    for name in [name for name in attack.truth if attack.truth[name] == 0.0 and name not in attack.kept_back]:
        attack.high[name] = 0.0  # the reader knows that nobody can be there
    assert narrowed(attack.range_of(attack.hidden()[:8])) == {}
