"""What serves whom: versions, phases, tailored lists; every reader follows the one table."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from hand_case import hand_case, table

from fixtures.tiny import NORTH, STATE, tiny_case
from sufficiency.build.suitability import suitability_table
from sufficiency.case import Case, load_case, save_case
from sufficiency.formulate import formulate
from sufficiency.request import PlanRequest
from sufficiency.suitability import serves, suited_projects, tailored_list, with_version
from sufficiency.tables.problems import InputError


def rule(version: str, suitable: bool, phase: str = "any", severity: str = "complex", kind: str = "state_special") -> dict[str, object]:
    return {"version": version, "kind": kind, "need_group": "ASD", "severity": severity, "phase": phase, "suitable": suitable}


def with_rules(case: Case, *rules: dict[str, object]) -> Case:
    return replace(case, suitability=table("suitability", list(rules)))


def test_the_newest_version_holds_unless_another_is_asked_for() -> None:
    case = with_rules(tiny_case(), rule("2023", True), rule("2026", False))
    assert serves(case.suitability)["suitable"].tolist() == [False] * 5
    assert serves(with_version(case, "2023").suitability)["suitable"].all()
    assert PlanRequest(suitability="2023").applied_to(case).suitability["version"].unique().tolist() == ["2023"]
    with pytest.raises(InputError, match="2023, 2026"):
        with_version(case, "2024")


def test_a_row_of_a_phase_overrides_the_row_for_any() -> None:
    rules = serves(table("suitability", [rule("2026", True), rule("2026", False, "SEC")])).set_index("phase")["suitable"]
    assert rules.to_dict() == {"EY": True, "PRI": True, "SEC": False, "P16": True, "P19": True}


def test_acceptance_follows_the_table() -> None:
    case = with_rules(tiny_case(), rule("2026", True, "PRI"), rule("2026", True, kind="independent_special"))
    accepts = formulate(case).problem.pools.accepts
    pools = formulate(case).pools
    assert not accepts[:, (pools["kind"] == "state_special").to_numpy()].any()
    assert accepts[:, (pools["kind"] == "independent_special").to_numpy()].any()


def test_a_table_without_version_and_phase_still_loads(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("old") / "case"
    save_case(hand_case(), folder)
    old = pd.read_csv(folder / "suitability.csv").drop(columns=["version", "phase"]).drop_duplicates(["kind", "need_group", "severity"])
    old.to_csv(folder / "suitability.csv", index=False)
    loaded = load_case(folder).suitability
    assert (set(loaded["version"]), set(loaded["phase"])) == ({"2026"}, {"any"})


def test_a_tailored_list_names_what_suits_within_reach_nearest_first() -> None:
    listed = tailored_list(tiny_case(), NORTH, "ASD", "complex", "SEC")
    assert listed["minutes"].tolist() == [10, 15]
    assert listed["setting_id"].tolist()[0] == STATE
    assert tailored_list(tiny_case(), NORTH, "ASD", "complex", "PRI").empty


def test_shipped_versions_differ_where_the_notes_say() -> None:
    rules = suitability_table().set_index(["version", "kind", "need_group", "severity"])["suitable"]
    changed = {key for key, suits in rules["2023"].items() if suits != rules["2026"][key]}
    assert changed == {("resourced_provision", "SLD", "moderate"), ("ap", "SEMH", "complex")}


def test_candidates_are_designated_only_for_what_suits() -> None:
    projects = tiny_case().projects.assign(need_groups=["ASD|SEMH", "SEMH"])
    left = suited_projects(projects, table("suitability", [rule("2026", True)]))
    assert left[["project_id", "need_groups"]].to_numpy().tolist() == [["A", "ASD"]]
