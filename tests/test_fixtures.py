"""The fictional region and the tiny case: redrawn they are the same, follow the national rates and hold what they promise."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from geopandas.testing import assert_geodataframe_equal
from pandas.testing import assert_frame_equal
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from typer.testing import CliRunner

from fixtures.demand import INDEPENDENT_TASTE
from fixtures.geography import draw_geography, leaves_land
from fixtures.network import Roads
from fixtures.oddities import AT_RISK_FROM, COMMITTED, CONVERSION, FORBIDDEN, NEW_HOMES, POOR, WAITING
from fixtures.rates import NEEDS, PHASE_CODES, PLACED, PLACEMENTS, national_rates, yearly_growth
from fixtures.region import fictional_region, roads_of
from fixtures.supply import limits_min
from fixtures.tiny import tiny_case
from fixtures.write import app
from geo.roads.links import FORMS, ROAD_CLASSES
from sufficiency.case import Case, load_case, save_case
from sufficiency.terms import GROUP_OF_NEED, start_of

BASE = "2021/22"
PUPIL_COLUMNS = ["pupils_placed", "pupils_mainstream", "pupils_further_education", "pupils_elsewhere"]


@cache
def region() -> Case:
    return fictional_region(1)


@cache
def small(seed: int) -> Case:
    return fictional_region(seed, areas=60)


@cache
def roads() -> Roads:
    return roads_of(1)


def assert_same(first: Case, second: Case) -> None:
    for name, table in first.tables.items():
        (assert_geodataframe_equal if name == "areas" else assert_frame_equal)(table, second.tables[name])


def base_pupils(case: Case) -> pd.DataFrame:
    return case.pupils[(case.pupils["academic_year"] == BASE) & (case.pupils["scenario"] == "central")]


def capital_gbp(projects: pd.DataFrame) -> pd.Series:
    """Capital at the largest size, optimism bias included."""
    return (projects["fixed_cost_gbp"] + projects["cost_per_place_gbp"] * projects["max_places"]) * (1 + projects["optimism_bias"])


def near(case: Case, sites: list[str], council_code: str) -> float:
    """Minutes of the shortest journey from any area of the council to any of the sites; infinite when there is none."""
    areas = case.areas.loc[case.areas["council_code"] == council_code, "area_id"]
    journeys = case.travel[case.travel["site_id"].isin(sites) & case.travel["area_id"].isin(areas)]
    return float(journeys["minutes"].min()) if len(journeys) else np.inf


def test_same_seed_same_region() -> None:
    assert_same(region(), fictional_region(1))


def test_other_seed_other_region() -> None:
    for name in ("areas", "pupils", "settings", "placements", "projects", "travel"):
        assert not small(1).tables[name].equals(small(2).tables[name]), name


@pytest.mark.parametrize("make", [region, tiny_case], ids=["region", "tiny"])
def test_a_saved_case_reads_back_the_same(make: object, tmp_path: Path) -> None:
    case = make()  # type: ignore[operator]
    save_case(case, tmp_path / "case")
    again = load_case(tmp_path / "case")
    assert_same(case, again)
    for fact in ("name", "level", "base_january", "academic_years", "programme", "price_base", "sources", "totals", "notes", "disclosure"):
        assert getattr(case, fact) == getattr(again, fact), fact
    assert case.assumptions.changed() == again.assumptions.changed()


@pytest.mark.parametrize(("councils", "areas"), [(0, 100), (7, 100), (3, 59)])
def test_too_small_a_region_is_refused(councils: int, areas: int) -> None:
    with pytest.raises(ValueError, match="60 areas"):
        fictional_region(1, councils=councils, areas=areas)


def test_size_is_as_promised() -> None:
    case = region()
    assert (len(case.areas), len(case.councils)) == (400, 3)
    assert 55 <= case.settings["easting_m"].notna().sum() <= 65
    assert len(case.projects) == 80
    assert case.academic_years == ("2022/23", "2023/24", "2024/25", "2025/26", "2026/27", "2027/28", "2028/29")
    assert case.base_year == BASE


def test_areas_tile_the_land_and_hold_their_points() -> None:
    geography = draw_geography(1, 3, 400)
    areas = geography.areas
    assert areas.geometry.is_valid.all()
    assert areas.geometry.contains(areas.geometry.from_xy(areas["easting_m"], areas["northing_m"], crs=areas.crs)).all()
    assert areas.geometry.area.sum() == pytest.approx(geography.land.area)
    assert areas.geometry.union_all().area == pytest.approx(geography.land.area)
    per_area = areas["population_0_25"]
    assert per_area.mean() == pytest.approx(1_500 * 0.31, rel=0.05)


def test_deprivation_lies_in_towns() -> None:
    areas = region().areas
    urban = areas["travel_class"] == "urban"
    assert urban.mean() == pytest.approx(0.68, abs=0.06)
    assert areas.loc[urban, "imd_decile"].mean() < areas.loc[~urban, "imd_decile"].mean() - 1


def test_fitted_rates_keep_the_published_margins() -> None:
    """Two figures of the release for January 2022, and the state special share of PMLD in January 2025 (69.0 %) after scaling."""
    plans = national_rates().plans
    by_placement = dict(zip(PLACEMENTS, plans.sum(axis=(0, 1)), strict=True))
    assert plans.sum() == pytest.approx(473_255)
    assert by_placement["state_special"] == pytest.approx(140_165)
    scaled = 140_165 / 159_852
    pmld = plans[NEEDS.index("PMLD")]
    assert pmld[:, PLACEMENTS.index("state_special")].sum() / 5_914 == pytest.approx(scaled, rel=0.01)


@pytest.mark.parametrize("seed", [1, 2])
def test_totals_by_need_follow_the_national_rates(seed: int) -> None:
    case = region() if seed == 1 else fictional_region(seed)
    rates = national_rates()
    share = case.areas["population_0_25"].sum() / rates.population.sum()
    drawn = base_pupils(case).groupby("need")[PUPIL_COLUMNS].sum().sum(axis=1)
    for need, expected in zip(NEEDS, rates.plans.sum(axis=(1, 2)) * share, strict=True):
        assert abs(drawn.get(need, 0.0) - expected) < 4.5 * np.sqrt(expected) + 0.02 * expected, need
    placed = base_pupils(case).loc[lambda table: table["stream"] == "ehcp", "pupils_placed"].sum()
    expected = rates.plans[..., : len(PLACED)].sum() * share
    assert abs(placed - expected) < 4.5 * np.sqrt(expected)
    in_ap = base_pupils(case).loc[lambda table: table["stream"] == "ap", "pupils_placed"].sum()
    assert abs(in_ap - rates.ap_pupils.sum() * share) < 4.5 * np.sqrt(rates.ap_pupils.sum() * share)


def test_deprived_areas_have_more_plans() -> None:
    case = region()
    plans = base_pupils(case).groupby("area_id")[PUPIL_COLUMNS].sum().sum(axis=1)
    areas = case.areas.set_index("area_id")
    poor, rich = areas["imd_decile"] <= 2, areas["imd_decile"] >= 9
    rate = plans / areas["population_0_25"]
    assert rate[poor].mean() > 1.5 * rate[rich].mean()


@pytest.mark.parametrize("make", [region, tiny_case], ids=["region", "tiny"])
def test_placements_add_up_to_the_placed_pupils(make: object) -> None:
    case = make()  # type: ignore[operator]
    demand = base_pupils(case).assign(need_group=lambda table: table["need"].map(GROUP_OF_NEED))
    keys = ["area_id", "need_group", "phase"]
    wanted = demand[demand["pupils_placed"] > 0].groupby(keys)["pupils_placed"].sum()
    found = case.placements.groupby(keys)["pupils"].sum()
    assert_frame_equal(wanted.to_frame("pupils"), found.to_frame("pupils"))


def test_rolls_and_places_agree_with_placements() -> None:
    case = region()
    pools = case.pools.merge(case.settings, on="setting_id", suffixes=("", "_setting"), validate="one_to_one")
    residents = pools["pool_id"].map(case.placements.groupby("pool_id")["pupils"].sum()).fillna(0)
    assert (pools["places_total"] == pools["places_setting"]).all()
    assert (pools["roll"] >= residents).all()
    assert (pools["roll"] <= residents + pools["places_total"] - pools["places"] + 0.5).all()
    assert (residents <= 1.1 * pools["places"] + 0.5).all()


def test_pupils_sit_in_pools_that_serve_them_in_reach() -> None:
    case = region()
    rows = case.placements.merge(case.pools[["pool_id", "setting_id", "need_groups", "phases"]], on="pool_id", validate="many_to_one")
    assert all(group in groups.split("|") for group, groups in zip(rows["need_group"], rows["need_groups"], strict=True))
    assert all(phase in phases.split("|") for phase, phases in zip(rows["phase"], rows["phases"], strict=True))
    located = rows[~rows["setting_id"].str.startswith("unlocated")]
    journeys = located.merge(case.travel, left_on=["area_id", "setting_id"], right_on=["area_id", "site_id"], how="left")
    assert (journeys["minutes"] <= journeys["phase"].map(limits_min())).all()


def test_councils_differ_in_their_use_of_independent_schools() -> None:
    totals = region().totals["published"]
    shares = [figures["special_independent"] / figures["ehc_plans"] for figures in totals.values()]
    assert max(shares) / min(shares) > 0.6 * INDEPENDENT_TASTE[1] / INDEPENDENT_TASTE[0]


def test_growth_follows_the_stated_path() -> None:
    case = region()
    yearly = case.pupils.groupby(["phase", "academic_year"])["pupils_placed"].sum().unstack()
    growth = yearly_growth("placed", "central", len(case.academic_years))
    for k, phase in enumerate(PHASE_CODES):
        found = (yearly.loc[phase] / yearly.loc[phase].shift()).dropna() - 1
        np.testing.assert_allclose(found, growth[:, k], atol=1e-4)


def test_no_area_loses_more_pupils_than_leave() -> None:
    """Whoever stays in phase and setting is still there: otherwise entrants would be negative."""
    stay = region().assumptions.table("retention")
    placed = region().pupils.pivot(index=["area_id", "need", "phase"], columns="academic_year", values="pupils_placed").fillna(0)
    rate = np.where(placed.index.get_level_values("need") == "AP", stay["AP"], placed.index.get_level_values("phase").map(stay).fillna(0))
    for before, after in zip(placed.columns[:-1], placed.columns[1:], strict=True):
        assert (placed[after] >= rate * placed[before] - 1e-5).all()


def test_scenarios_share_the_base_and_then_part() -> None:
    pupils = fictional_region(1, areas=60, scenarios=("low", "central", "high")).pupils
    placed = pupils.groupby(["academic_year", "scenario"])["pupils_placed"].sum().unstack()
    assert placed.loc[BASE].nunique() == 1
    assert placed.loc["2028/29", "low"] < 0.95 * placed.loc["2028/29", "central"]
    assert placed.loc["2028/29", "central"] < 0.95 * placed.loc["2028/29", "high"]


@pytest.mark.parametrize("seed", range(1, 21))
def test_twenty_seeds_hold_every_oddity(seed: int) -> None:
    """Validation happens while the case is made; a small region is enough, since the land is the same size."""
    assert_every_oddity(small(seed))


def test_the_full_region_holds_every_oddity() -> None:
    assert_every_oddity(region())
    specials = region().settings[region().settings["kind"] == "state_special"]
    use = specials["roll"] / specials["places"]
    assert (use > 1).sum() >= 3
    assert use.groupby(specials["council_code"]).mean().agg(np.ptp) > 0.03


def assert_every_oddity(case: Case) -> None:
    projects = case.projects.set_index("project_id")
    allowed = projects[projects["decision"] != "forbidden"]
    last = case.councils["council_code"].iloc[-1]

    specials = case.settings[case.settings["kind"] == "state_special"]
    assert (specials["roll"] >= specials["places"]).sum() >= 3, "full schools"

    state = case.pools.merge(case.settings.loc[case.settings["kind"].isin(["state_special", "resourced_provision"]), ["setting_id"]])
    sensory = state[state["need_groups"].str.contains("PHYS") & state["phases"].str.contains("PRI")]
    could = projects[projects["need_groups"].str.contains("PHYS") & projects["phases"].str.contains("PRI")]
    assert len(sensory) > 0, "a need that is served somewhere"
    assert near(case, [*sensory["setting_id"], *could["site_id"]], last) > limits_min()["PRI"], "a need with no site in reach"

    others = allowed[(allowed["kind"] == "new_special") & (allowed.index != POOR)]
    dear = capital_gbp(allowed.loc[[POOR]]).item() / allowed.loc[POOR, "max_places"]
    assert dear > 1.5 * (capital_gbp(others) / others["max_places"]).max(), "a project that is dear"
    people = case.travel[case.travel["minutes"] < 15].merge(case.areas)[["site_id", "population_0_25"]].groupby("site_id").sum()
    within = people["population_0_25"].reindex(projects["site_id"]).fillna(0)
    assert within[allowed.loc[POOR, "site_id"]] <= 0.25 * within.median(), "and remote"

    for code in case.councils["council_code"]:
        wanted = capital_gbp(allowed[allowed["council_code"] == code]).sum()
        assert case.funds.loc[case.funds["councils"] == code, "amount_gbp"].sum() < 0.4 * wanted, "a budget that runs out"

    waiting = projects.loc[WAITING]
    pool = case.pools.set_index("pool_id").loc[waiting["from_pool_id"]]
    assert (waiting["effect"], pool["at_risk_from"], pool["places_at_risk"]) == ("improve", AT_RISK_FROM, waiting["places_kept"])
    latest = start_of(AT_RISK_FROM) - waiting["lead_time_years"]
    assert start_of(waiting["earliest_start"]) < latest <= max(start_of(year) for year in case.funds["financial_year"]), "waiting pays"

    assert projects.loc[COMMITTED, "committed_places"] == projects.loc[COMMITTED, "max_places"]
    assert projects.loc[FORBIDDEN, "decision"] == "forbidden"
    conversion = projects.loc[CONVERSION]
    assert conversion["effect"] == "convert"
    assert conversion["places_removed"] <= case.pools.set_index("pool_id").loc[conversion["from_pool_id"], "places"]
    assert (projects["exclusive_group"].dropna().value_counts() == 2).all()
    assert projects["exclusive_group"].nunique() == 2
    after = projects.dropna(subset=["prerequisite"])
    assert len(after) >= 2
    assert (after["council_code"] == projects.loc[after["prerequisite"], "council_code"].to_numpy()).all()
    ring_fenced = case.funds[case.funds["eligible_kinds"] != "any"]
    assert set(ring_fenced["eligible_kinds"]) == {"ap_expansion|new_ap"}
    assert sorted(case.funds["carry_forward_share"].unique()) == [0.5, 1.0]


def test_demand_in_the_new_town_comes_late() -> None:
    case = region()
    geography = draw_geography(1, 3, 400)
    town = geography.areas.loc[geography.areas["town"] == "Norrowdale", "area_id"]
    placed = case.pupils[case.pupils["area_id"].isin(town)].groupby("academic_year")["pupils_placed"].sum()
    share = placed / case.pupils.groupby("academic_year")["pupils_placed"].sum()
    assert share["2024/25"] < 1.3 * share[BASE]
    assert share["2028/29"] > 1.7 * share["2024/25"]
    assert case.projects.set_index("project_id").loc[NEW_HOMES, "council_code"] == geography.town("Norrowdale").council_code


def test_projects_fit_their_own_terms() -> None:
    projects = region().projects
    assert (projects["min_places"] % projects["module_places"] == 0).all()
    assert (projects["max_places"] % projects["module_places"] == 0).all()
    assert (projects["min_places"] <= projects["max_places"]).all()
    shares = projects["spend_profile"].map(lambda cell: sum(float(share) for share in cell.split("|")))
    np.testing.assert_allclose(shares, 1.0)
    assert set(projects["from_pool_id"].dropna()) <= set(region().pools["pool_id"])


def test_funds_are_the_regions_share_of_the_national_grant() -> None:
    case = region()
    plans = sum(figures["ehc_plans"] for figures in case.totals["published"].values())
    assert case.funds["amount_gbp"].sum() == pytest.approx(2.6e9 * plans / 473_255, rel=1e-3)


def test_one_can_drive_everywhere_and_cross_the_water_once() -> None:
    nodes, edges = roads().nodes, roads().edges
    assert nodes["node_id"].is_unique
    both = edges[~edges["one_way"]]
    tails, heads = np.r_[edges["from"], both["to"]], np.r_[edges["to"], both["from"]]
    graph = coo_array((np.ones(len(tails)), (tails, heads)), shape=(len(nodes), len(nodes)))
    assert connected_components(graph, connection="strong")[0] == 1
    place = nodes.set_index("node_id")[["easting_m", "northing_m"]]
    starts, ends = place.loc[edges["from"]].to_numpy(), place.loc[edges["to"]].to_numpy()
    assert (edges["length_m"] >= np.hypot(*(starts - ends).T)).all()
    land = draw_geography(1, 3, 400).land
    no_motorway = (edges["road_class"] != "motorway").to_numpy()
    assert leaves_land(land, starts[no_motorway], ends[no_motorway]).sum() == 1


def test_roads_have_a_hierarchy() -> None:
    edges = roads().edges
    assert set(edges["road_class"]) == {"motorway", "primary_a", "a_road", "b_road", "minor", "local"} <= set(ROAD_CLASSES)
    assert set(edges["form"]) <= set(FORMS)
    assert edges.loc[edges["road_class"] != "motorway", "one_way"].sum() > 20
    assert edges.loc[edges["road_class"] == "motorway", "one_way"].all()
    assert edges["speed_limit_kmh"].between(30, 115).all()
    rural = edges[~edges["urban"]].groupby("road_class")["length_m"].sum()
    assert rural["local"] > rural["minor"] > rural["a_road"] > rural["motorway"] > 20_000


@pytest.mark.parametrize("seed", [2, 3])
def test_roads_of_other_seeds_hang_together(seed: int) -> None:
    network = roads_of(seed, areas=60)
    both = network.edges[~network.edges["one_way"]]
    tails, heads = np.r_[network.edges["from"], both["to"]], np.r_[network.edges["to"], both["from"]]
    graph = coo_array((np.ones(len(tails)), (tails, heads)), shape=(len(network.nodes), len(network.nodes)))
    assert connected_components(graph, connection="strong")[0] == 1


def test_the_tiny_case_has_money_for_one_of_its_two_projects() -> None:
    case = tiny_case()
    capital = capital_gbp(case.projects)
    money = case.funds["amount_gbp"].sum()
    assert capital.max() <= money < capital.sum()
    state = case.settings.set_index("kind").loc["state_special"]
    assert state["roll"] == state["places"]


def test_the_command_writes_a_case_that_loads(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["--out", str(tmp_path / "case"), "--tiny"])
    assert done.exit_code == 0, done.output
    assert load_case(tmp_path / "case").name == "Tiny case"
    refused = CliRunner().invoke(app, ["--out", str(tmp_path / "case"), "--roads", "roads.txt"])
    assert refused.exit_code == 2
    assert "--help" in refused.output


def test_the_command_writes_roads(tmp_path: Path) -> None:
    roads_file = tmp_path / "roads.osm.pbf"
    done = CliRunner().invoke(app, ["--out", str(tmp_path / "case"), "--areas", "60", "--roads", str(roads_file)])
    assert done.exit_code == 0, done.output
    assert roads_file.stat().st_size > 10_000
