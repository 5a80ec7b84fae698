"""What was derived on the supply side, and by which rule: notes for a case."""

from __future__ import annotations

from sufficiency.assumptions import Assumptions
from sufficiency.build.programmes import WEIGHTS, Programme
from sufficiency.build.supply import Supply
from sufficiency.terms import SETTING_KINDS


def supply_notes(about: Programme, supply: Supply, by_rule: bool, assumptions: Assumptions) -> list[str]:
    """Sentences for a case: every derived figure of its supply, projects and money with the rule; ``by_rule``: no project list given."""
    ratio = assumptions.table("supply.places_per_pupil")
    estimated = supply.settings[supply.settings["roll_status"].eq("estimated") & supply.settings["kind"].ne("resourced_provision")]
    bases = supply.settings[supply.settings["kind"].eq("resourced_provision")]
    said = [
        f"Settings are those open in the register, also for January {about.base_january}: opening dates are not in it; "
        f"rolls are lifted to the placements of January {about.base_january} (derived).",
        f"{len(estimated):,} settings of England without a roll have the median of their kind (estimated).",
        f"Places follow the roll where the register has no capacity: {ratio['state_special']:g} per pupil in state special schools, "
        f"so that their overcrowding is kept, {ratio['resourced_provision']:g} in resourced provision, 1 elsewhere (derived).",
        f"Of {len(bases):,} resourced provisions and SEN units of England, {int(bases['places_status'].eq('observed').sum())} have places "
        f"from the register; the others are the council's largest mainstream schools, for its published pupils (estimated).",
        "Who is placed where is a gravity fit of council placements to settings, and so are the need groups that a setting takes, unless "
        f"the register names its need types (derived). {_journeys(supply)}",
        "Places outside the case count by the share of the setting's pupils who live in it.",
    ]
    if by_rule:
        said.append("Candidate projects are made by rule from the register; no council has proposed them (derived).")
    mix = ", ".join(f"{weight:.0%} {name}" for name, weight in WEIGHTS.items())
    said.append(
        f"{about.title}: {about.source}. Split over councils by a mix ({mix}) times building cost, to whole pounds (derived). "
        f"Allocations and costs are taken as if in prices of {about.price_base}."
    )
    return said


def _journeys(supply: Supply) -> str:
    parts = [
        f"{SETTING_KINDS[kind].lower()} {figures['outside_share']:.0%} and {figures['mean_min']:.0f} minutes"
        for kind, figures in supply.figures.items()
    ]
    return f"Of England's pupils, outside their council and mean journey: {'; '.join(parts)}."
