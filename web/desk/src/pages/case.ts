// A case as it stands now: need, places, travel and independent placements; its plans; a first plan.

import { PlanData } from "../../../map/src/data";
import { mapSection, openMap } from "../map_section";
import type { CaseBody, PlanBody, RunBody } from "../resources";
import { bytes, get, list, post } from "../service";
import { go, href } from "../state";
import { button, element, expander, field, heading, invented, link, numberInput, paragraph, radios, show, table, tiles } from "../ui";
import { count, day, percent, pounds, SCENARIOS, STATES, whole } from "../words";

export async function casePage(id: string): Promise<void> {
  const [one, plans, runs, data, candidates] = await Promise.all([
    get<CaseBody>(`cases/${id}`),
    list<PlanBody>(`plans?case_id=${id}`),
    list<RunBody>(`runs?case_id=${id}&state=queued&state=running&state=failed`),
    PlanData.load((block) => bytes(`cases/${id}/map/${block}`)),
    get<PlanData["candidates"]>(`cases/${id}/candidates`),
  ]);
  data.candidates = candidates;
  const map = mapSection("The region now", data.about.modelled, planForm(one));
  show(
    one.name,
    [],
    heading(1, one.name),
    element("p", { class: "govuk-body-l" }, `${count(one.councils.length, "council")}, ${count(one.rows.areas, "area")}, planning years ${one.academic_years[0]} to ${one.academic_years.at(-1)}, ${one.price_base} prices`),
    ...invented(one),
    tiles(nowTiles(data, one)),
    ...(plans.length ? [heading(2, "Plans of this case"), plansTable(plans)] : []),
    ...(runs.length ? [runsTable(runs)] : []),
    map.element,
    ...(one.warnings ? [paragraph(`The checks found ${count(one.warnings, "thing")} to look at in this case. `, link(`v1/cases/${id}/problems`, "Read the list (JSON)"), ".")] : []),
    paragraph(link(`v1/cases/${id}/provenance`, "Sources and what was derived (JSON)"), "."),
  );
  await openMap(map, data);
}

function nowTiles(data: PlanData, one: CaseBody): { name: string; figure: string; note: string }[] {
  const all = data.about.zones.length - 1;
  const value = (measure: "need" | "minutes" | "share") => data.value(measure, 0, 0, 0, all);
  const form = (number: number | null, unit = "") => (number === null ? "not shown" : `${whole(number)}${unit}`);
  return [
    { name: "Pupils placed", figure: form(value("need")), note: `in ${data.about.years[0]}` },
    { name: "Places", figure: whole(data.placesOfCouncils(0, 0, 0).at(-1)!), note: "in settings with a location; by need under the map" },
    { name: "In independent settings", figure: form(value("share"), " %"), note: "of the placed pupils" },
    { name: "Mean journey", figure: form(value("minutes"), " min"), note: "one way, of pupils whose setting has a location" },
    { name: "Capital", figure: pounds(one.capital_gbp), note: `all funds and years, ${one.price_base} prices` },
    { name: "Candidates", figure: whole(one.rows.projects), note: "projects that may be built" },
  ];
}

function planForm(one: CaseBody): HTMLElement {
  let scenario = one.scenarios.includes("central") ? "central" : one.scenarios[0];
  const gap = numberInput("gap", "1");
  const limit = numberInput("limit", "600");
  const start = async () => {
    const request = { case_id: one.id, scenario, gap: figure(gap, "the gap") / 100, time_limit_s: figure(limit, "the time limit"), name: one.name };
    const run = await post<RunBody>("runs", { request });
    go({ run: run.id });
  };
  return element(
    "section",
    { class: "desk-panel", "aria-labelledby": "make" },
    heading(3, "Make a plan", { id: "make" }),
    paragraph("The search chooses projects so that need is met, journeys are bearable and the least money is spent over the years."),
    one.scenarios.length > 1 ? radios("scenario", "Demand", one.scenarios.map((name) => [name, SCENARIOS[name] ?? name]), scenario, (value) => (scenario = value), true) : element("span"),
    expander(
      "How long to search",
      field("Stop within this share of the least possible cost, per cent", gap, "1 is usual. Smaller takes longer."),
      field("Stop after so many seconds", limit, "The best plan by then is kept, with how far it may be from the best."),
    ),
    button("Make a plan", start),
  );
}

/** The number in a field. */
export function figure(input: HTMLInputElement, what: string): number {
  const value = Number(input.value.replaceAll(",", "").trim());
  if (!input.value.trim() || !Number.isFinite(value) || value < 0) throw new Error(`Enter ${what} as a number that is not negative.`);
  return value;
}

const plansTable = (plans: PlanBody[]): HTMLElement =>
  table(
    count(plans.length, "plan"),
    ["Plan", "Saving, present value", "Capital", "New places", "Within best cost by", "Audit", "Made"],
    plans.map(({ id, name, summary, audit_passed, created_at }) => [
      link(href({ plan: id }), name),
      pounds(summary.saving_gbp),
      pounds(summary.capital_gbp),
      whole(summary.new_places),
      percent(summary.gap_of_cost),
      audit_passed ? "passed" : "found breaches",
      day(created_at),
    ]),
    [5, 6],
  );

const runsTable = (runs: RunBody[]): HTMLElement =>
  table(
    "Runs without a plan",
    ["Run", "State", "Begun"],
    runs.map(({ id, name, state, created_at }) => [link(href({ run: id }), name), STATES[state], day(created_at)]),
    [1, 2],
  );
