// A plan: what it does, where and when; changes on top of it; questions about it; everything to take away.

import { type Measure, PlanData, type Variant } from "../../../map/src/data";
import type { Explorer } from "../../../map/src/explorer";
import type { Selection } from "../../../map/src/state";
import { changePanel } from "../change_panel";
import { downloads } from "../downloads";
import { changesIn, type Draft, emptyDraft } from "../draft";
import { mapSection, openMap } from "../map_section";
import { projectsPanel } from "../projects_panel";
import { explainedBy, questionsPanel } from "../questions_panel";
import type { Assumption, CaseBody, Decision, FundRow, PlanBody, RequestBody, Summary } from "../resources";
import { bytes, get, list, rows } from "../service";
import { draftFromAddress, go, href, param, remember } from "../state";
import { bullets, button, element, heading, invented, link, paragraph, radios, select, show, table, tabs, tiles } from "../ui";
import { assumed, count, DECISIONS, last, pounds, SCENARIOS, verdict, whole } from "../words";

/** All that the parts of the page share. */
export interface PlanPage {
  plan: PlanBody;
  ofCase: CaseBody;
  request: RequestBody;
  funds: FundRow[];
  assumptions: Assumption[];
  data: PlanData;
  draft: Draft;
  /** What is decided about a project: drafted, else asked for with this plan, else the case's own. */
  decision(projectId: string): Decision;
  decide(projectId: string, decision: Decision): void;
  /** To be called after every change of the draft. */
  changed(): void;
  /** Shows a project or candidate on the map and in the details. */
  choose(projectId: string): void;
}

export async function planPage(id: string): Promise<void> {
  const loading = PlanData.load((block) => bytes(`plans/${id}/map/${block}`));
  const [listed, summary] = await Promise.all([get<PlanBody>(`plans/${id}`), get<Summary>(`plans/${id}/files/plan.json`)]);
  const plan: PlanBody = { ...listed, summary };
  const [ofCase, request, others, funds, assumptions, candidates, explained, data] = await Promise.all([
    get<CaseBody>(`cases/${plan.case_id}`),
    get<RequestBody>(`requests/${plan.request_id}`),
    list<PlanBody>(`plans?case_id=${plan.case_id}`),
    rows<FundRow>(`cases/${plan.case_id}/tables/funds`),
    get<Assumption[]>("assumptions"),
    get<PlanData["candidates"]>(`cases/${plan.case_id}/candidates`),
    explainedBy(id),
    loading,
  ]);
  const chosen = new Set(data.about.projects.map(({ project_id }) => project_id));
  data.candidates = candidates.filter(({ project_id }) => !chosen.has(project_id));
  const asked = new Map<string, Decision>(candidates.map(({ project_id, decision }) => [project_id, decision as Decision]));
  for (const pin of request.changes.pins ?? []) asked.set(pin.project_id, pin.decision);

  const status = element("p", { class: "govuk-body", role: "status" });
  let explorer: Explorer | null = null;
  const page: PlanPage = {
    plan,
    ofCase,
    request,
    funds,
    assumptions,
    data,
    draft: { ...emptyDraft(), ...draftFromAddress() },
    decision: (projectId) => page.draft.pins[projectId] ?? asked.get(projectId) ?? "open",
    decide(projectId, decision) {
      if (decision === asked.get(projectId)) delete page.draft.pins[projectId];
      else page.draft.pins[projectId] = decision;
      page.changed();
    },
    changed() {
      const changes = changesIn(page.draft);
      remember({ draft: changes ? JSON.stringify(page.draft) : "" });
      status.textContent = changes ? `${count(changes, "change")} drafted, not planned yet.` : "Nothing is changed yet.";
      projects.refresh();
      changes_.refresh();
    },
    choose(projectId) {
      const find = (all: { project_id: string }[]) => all.findIndex((one) => one.project_id === projectId);
      const index = find(data.about.projects);
      explorer?.chooseAndGo(index >= 0 ? { kind: "project", index } : { kind: "candidate", index: find(data.candidates) });
    },
  };
  const projects = projectsPanel(page);
  const changes_ = changePanel(page, status);
  const sections = [
    { id: "projects", title: "Projects", content: () => projects.element },
    { id: "change", title: "Change and plan again", content: () => changes_.element },
    { id: "ask", title: "Ask why", content: () => questionsPanel(page, explained) },
  ];
  const map = mapSection("Where and when", data.about.modelled, tabs("About this plan", sections, param("tab") ?? "projects", (tab) => remember({ tab })));
  show(
    plan.name,
    [[href({ case: ofCase.id }), ofCase.name]],
    heading(1, plan.name),
    element("p", { class: "govuk-body-l" }, verdict(plan.summary)),
    ...warnings(page),
    tiles(headline(plan, data)),
    map.element,
    element("div", { class: "not-in-print" }, heading(2, "Compare, and ask what if"), actions(page, others)),
    heading(2, "Year by year"),
    yearsTable(plan, data),
    heading(2, "Saving of the same projects under other assumptions"),
    sensitivityTable(plan),
    heading(2, "How far to trust this"),
    ...trust(page),
    heading(2, "Take it away"),
    downloads(plan, data),
  );
  explorer = await openMap(map, data, { more: (selection) => decisionFor(page, selection) });
  page.changed();
}

/** The decision on the project that is chosen on the map. */
function decisionFor(page: PlanPage, { kind, index }: Selection): HTMLElement[] {
  if (kind !== "project" && kind !== "candidate") return [];
  const { project_id } = (kind === "project" ? page.data.about.projects : page.data.candidates)[index];
  const set = (value: string) => page.decide(project_id, value as Decision);
  return [radios("decision", "In the next plan", Object.entries(DECISIONS), page.decision(project_id), set, true)];
}

function warnings({ request, ofCase, assumptions }: PlanPage): HTMLElement[] {
  const asked = [
    ...(request.settings.scenario && request.settings.scenario !== "central" ? [`demand: ${SCENARIOS[request.settings.scenario] ?? request.settings.scenario}`] : []),
    ...(request.changes.pins?.length ? [`${count(request.changes.pins.length, "project")} decided beforehand`] : []),
    ...(request.changes.budgets?.length ? [`${count(request.changes.budgets.length, "allocation")} changed`] : []),
    ...Object.entries(request.settings.assumptions ?? {}).map(([name, value]) => assumed(name, value, assumptions.find((one) => one.name === name)?.unit ?? "")),
  ];
  return [
    ...invented(ofCase),
    ...(asked.length ? [paragraph(`Asked for with changes: ${asked.join("; ")}.`)] : []),
  ];
}

function trust({ plan }: PlanPage): HTMLElement[] {
  const audit = plan.audit_passed ? "An audit worked out every figure again from the case alone and agrees." : "The audit found figures that do not agree.";
  return [
    paragraph(audit, " ", link(`v1/plans/${plan.id}/audit`, "Read the audit (JSON)"), "."),
    ...(plan.summary.travel_source === "estimated" ? [paragraph("Journeys are estimated from straight-line distance, not from roads.")] : []),
    ...(plan.summary.notes?.length ? [bullets(plan.summary.notes)] : []),
  ];
}

function headline({ summary }: PlanBody, data: PlanData): { name: string; figure: string; note: string }[] {
  const year = summary.academic_years.at(-1)!;
  return [
    { name: "Saving", figure: pounds(summary.saving_gbp), note: `present value, against doing only what is committed; ${pounds(summary.cash_saving_gbp)} of it cash. Cheapest places first would save ${pounds(summary.rule_saving_gbp)}.` },
    { name: "Capital", figure: pounds(summary.capital_gbp), note: `for ${whole(summary.new_places)} new places, ${summary.price_base} prices` },
    { name: "Independent placements avoided", figure: whole(last(summary.independent_avoided) ?? 0), note: `pupils in ${year}` },
    { name: "Without a suitable place", figure: whole(last(summary.unmet) ?? 0), note: `pupils in ${year}, with the plan` },
    { name: "Mean journey", figure: `${together(data, "minutes", 0)} → ${together(data, "minutes", 1)} min`, note: `one way in ${year}, before and with the plan` },
  ];
}

function actions({ plan }: PlanPage, all: PlanBody[]): HTMLElement {
  const others = all.filter(({ id }) => id !== plan.id);
  const box = element("div", { class: "desk-actions" });
  if (others.length) {
    const other = select("other", others.map(({ id, name, summary }) => [id, `${name}: saves ${pounds(summary.saving_gbp)}`]), others[0].id);
    const compare = button("Compare", () => go({ plan: plan.id, with: other.value }), "secondary");
    box.append(element("div", { class: "govuk-form-group" }, element("label", { class: "govuk-label", for: "other" }, "Compare with another plan of this case"), other), compare);
  }
  box.append(bullets([
    link(href({ plan: plan.id, page: "frontier" }), "What more money would buy, and what shorter journeys or fewer independent placements would cost"),
    link(href({ plan: plan.id, page: "futures" }), "One plan for several futures of demand"),
  ]));
  return box;
}

/** A figure of all councils together, in the last year if none is named. */
function together(data: PlanData, measure: Measure, variant: Variant, year = data.about.years.length - 1): string {
  const value = data.value(measure, variant, 0, year, data.about.zones.length - 1);
  return value === null ? "not shown" : whole(value);
}

function yearsTable({ summary }: PlanBody, data: PlanData): HTMLElement {
  const years = summary.academic_years;
  const row = (name: string, byYear: Record<string, number>) => [name, ...years.map((year) => whole(byYear[year] ?? 0))];
  const drawn = (name: string, measure: Measure, variant: Variant) => [name, ...years.map((_, year) => together(data, measure, variant, year))];
  return table("Pupils by academic year, unless another unit is named", ["Figure", ...years], [
    drawn("Who need a place", "need", 1),
    row("Independent placements avoided", summary.independent_avoided),
    drawn("Without a suitable place, before", "unmet", 0),
    row("Without a suitable place, with the plan", summary.unmet),
    drawn("Mean journey before, minutes one way", "minutes", 0),
    drawn("Mean journey with the plan, minutes one way", "minutes", 1),
  ]);
}

const WHAT: Record<string, string> = { "displacement.share": "New places that replace independent ones", "independent.irreducible_share": "Independent placements that stay whatever is built", "time.tail_years": "Years counted after the last", scenario: "Demand scenario" };

function sensitivityTable({ summary }: PlanBody): HTMLElement {
  if (!summary.sensitivity?.length) return paragraph("It was not asked for.");
  const value = (what: string, of: number | string) => (what === "displacement.share" ? `${Math.round(100 * Number(of))} %` : String(of));
  const rowsOf = summary.sensitivity.map(({ what, value: of, saving_gbp }) => [WHAT[what] ?? what, value(what, of), pounds(saving_gbp)]);
  return table("Saving, GBP, present value", ["Assumption", "Taken as", "Saving"], rowsOf);
}
