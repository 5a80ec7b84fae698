// Why here, why not here, who is without a place, and what another million would buy: the service's answers, and what the tables say at once.

import type { PlanPage } from "./pages/plan";
import type { RunBody } from "./resources";
import { get, post, rows } from "./service";
import { go } from "./state";
import { bullets, button, type Child, element, field, heading, hint, paragraph, select, table } from "./ui";
import { pounds, poundsEach, whole } from "./words";

const MORE_GBP = 1_000_000;
/** Columns that are shown as millions. */
const IN_MILLIONS = /_gbp$/;

interface PlacesRow {
  academic_year: string;
  places: number;
  pupils: number;
  latent_pupils: number;
}

interface PlacementRow {
  area_id: string;
  pupils: number;
}

interface ProjectRow {
  cost_per_place_gbp: number;
  fixed_cost_gbp: number;
  max_places: number;
}

type Row = Record<string, string | number | boolean | null>;

/** The newest answer of the service about a plan; all empty when it was never asked. */
interface Explained {
  run_id: string | null;
  marginal: Row[];
  not_chosen: Row[];
  why_unmet: Row[];
  alternatives: Row[];
}

export function questionsPanel(page: PlanPage, explained: Explained): HTMLElement {
  const answer = element("div", { "aria-live": "polite" });
  const { projects } = page.data.about;
  const here = select("why-here", projects.map(({ project_id, number, name }) => [project_id, `${number}. ${name}`]), projects[0]?.project_id ?? "");
  const others = page.data.candidates;
  const notHere = select("why-not", others.map(({ project_id, name }) => [project_id, name]), others[0]?.project_id ?? "");
  const ask = (work: () => Promise<HTMLElement[]>) => async () => {
    answer.replaceChildren(paragraph("Working it out."));
    answer.replaceChildren(...(await work()));
  };
  return element(
    "div",
    {},
    ...(explained.run_id ? [] : [workedOut(page)]),
    ...(projects.length ? [heading(3, "Why here?"), field("Project in the plan", here), button("Why here?", ask(() => whyHere(page, explained, here.value)), "secondary")] : []),
    ...(others.length ? [heading(3, "Why not here?"), field("Candidate that is not in the plan", notHere), button("Why not here?", ask(() => whyNot(page, explained, notHere.value)), "secondary")] : []),
    answer,
    heading(3, "What would another GBP 1m buy?"),
    ...(explained.run_id ? [answerTable(page, "GBP 1m more for a council, partnership or region, planned again", explained.marginal)] : []),
    hint("Or plan everything again with GBP 1m more in one council's first year, and compare the two plans. It takes as long as this plan took."),
    ...million(page),
    ...(explained.why_unmet.length ? [heading(3, "Who is without a place, and why?"), answerTable(page, "Pupils without a suitable place", explained.why_unmet)] : []),
  );
}

/** Asking the service to work the answers out: it plans again, several times. */
function workedOut({ plan }: PlanPage): HTMLElement {
  const start = async () => {
    const run = await post<RunBody>(`plans/${plan.id}/questions`, { kind: "explain", extra_gbp: MORE_GBP });
    go({ run: run.id });
  };
  return element(
    "div",
    { class: "govuk-inset-text" },
    paragraph("What each project is worth, what was left out and why, and what GBP 1m more buys are worked out by planning again. It takes a few minutes; until then the answers below say what the plan's tables tell."),
    button("Work out the answers", start),
  );
}

/** Why a project is in the plan: who uses its places, and what the plan would be without it. */
async function whyHere(page: PlanPage, explained: Explained, id: string): Promise<HTMLElement[]> {
  const project = page.data.about.projects.find(({ project_id }) => project_id === id)!;
  const key = encodeURIComponent(id);
  const [used, placed] = await Promise.all([
    rows<PlacesRow>(`plans/${page.plan.id}/tables/places?pool_id=${key}`),
    rows<PlacementRow>(`plans/${page.plan.id}/tables/placements?pool_id=${key}&academic_year=${encodeURIComponent(page.plan.summary.academic_years.at(-1)!)}`),
  ]);
  const pupils = placed.reduce((sum, row) => sum + row.pupils, 0);
  const areas = new Set(placed.filter((row) => row.pupils > 0).map((row) => row.area_id)).size;
  const without = explained.alternatives.filter((row) => row.without === id);
  return [
    heading(3, `Why ${project.name}?`),
    bullets([
      `It opens ${whole(project.places)} places for ${pounds(project.capital_gbp)}: ${poundsEach(project.capital_gbp / Math.max(project.places, 1))} a place, against ${average(page)} on average in this plan.`,
      `In the last year it serves ${whole(pupils)} pupils from ${areas} areas.`,
      ...without.map(({ extra_gbp, instead }) => `Without it the best plan found costs ${pounds(Number(extra_gbp))} more, present value; it builds ${named(page, String(instead ?? "")) || "nothing"} instead.`),
    ]),
    table("Use of its places, pupils", ["Year", "Places", "Pupils of the placed demand", "Drawn from mainstream"], used.map((row) => [row.academic_year, whole(row.places), whole(row.pupils), whole(row.latent_pupils)])),
    paragraph("To see the whole plan without it, set it to must not be built and plan again."),
  ];
}

/** Why a candidate was left out. */
async function whyNot(page: PlanPage, explained: Explained, id: string): Promise<HTMLElement[]> {
  const candidate = page.data.candidates.find(({ project_id }) => project_id === id)!;
  const [row] = await rows<ProjectRow>(`cases/${page.ofCase.id}/tables/projects?project_id=${encodeURIComponent(id)}`);
  const perPlace = row.cost_per_place_gbp + row.fixed_cost_gbp / Math.max(row.max_places, 1);
  const nearby = page.data.about.projects.filter((project) => project.where === candidate.where && candidate.where !== "New site");
  const known = explained.not_chosen.filter((one) => one.project_id === id);
  return [
    heading(3, `Why not ${candidate.name}?`),
    bullets([
      ...known.flatMap(({ said }) => (said ? [String(said)] : [])),
      `At its full size a place costs ${poundsEach(perPlace)}, against ${average(page)} on average in this plan.`,
      ...(nearby.length ? [`At the same setting the plan builds ${nearby.map(({ name }) => name).join(", ")}.`] : []),
      ...(page.decision(id) === "forbidden" ? ["It was ruled out beforehand."] : []),
    ]),
    ...(known.length ? [answerTable(page, "What it would save and cost", known)] : []),
    paragraph("To see the whole plan with it, set it to must be built and plan again: the comparison shows what it costs and displaces."),
  ];
}

/** Names of projects from their ids, joined by a bar. */
function named({ data }: PlanPage, ids: string): string {
  const names = new Map([...data.about.projects, ...data.candidates].map(({ project_id, name }) => [project_id, name]));
  return ids.split("|").filter(Boolean).map((id) => names.get(id) ?? id).join(", ");
}

const average = ({ plan }: PlanPage): string => poundsEach(plan.summary.capital_gbp / Math.max(plan.summary.new_places, 1));

/** A table of the service with names in place of ids; the columns that only ids or words for the list fill are left out. */
function answerTable(page: PlanPage, caption: string, found: Row[]): HTMLElement {
  if (!found.length) return paragraph("Nothing.");
  const councils = new Map(page.ofCase.councils.map(({ code, name }) => [code, name]));
  const projects = new Map([...page.data.about.projects, ...page.data.candidates].map(({ project_id, name }) => [project_id, name]));
  const columns = Object.keys(found[0]).filter((name) => name !== "said" && name !== "name");
  const cell = (name: string, value: Row[string]): Child => {
    if (value === null || value === "") return "none";
    if (name === "council_code") return councils.get(String(value)) ?? String(value);
    if (name === "project_id") return projects.get(String(value)) ?? String(value);
    if (typeof value === "boolean") return value ? "yes" : "no";
    if (typeof value !== "number") return String(value);
    return IN_MILLIONS.test(name) ? `${value < 0 ? "-" : ""}£${Math.abs(value / 1e6).toFixed(2)}m` : value.toLocaleString("en-GB", { maximumFractionDigits: 1 });
  };
  const title = (name: string) => name.replace(/_gbp$/, ", GBP").replace(/_code$|_id$/, "").replaceAll("_", " ").replace(/^./, (first) => first.toUpperCase());
  const texts = columns.flatMap((name, i) => (typeof found[0][name] === "number" ? [] : [i]));
  return table(caption, columns.map(title), found.map((row) => columns.map((name) => cell(name, row[name]))), texts);
}

function million(page: PlanPage): HTMLElement[] {
  const codes = page.ofCase.councils.filter(({ code }) => page.funds.some((fund) => fund.councils.split("|").includes(code)));
  const council = select("million", codes.map(({ code, name }) => [code, name]), codes[0]?.code ?? "");
  const buy = async () => {
    const mine = page.funds.filter(({ councils }) => councils.split("|").includes(council.value));
    const fund = mine.find(({ eligible_kinds }) => eligible_kinds === "any") ?? mine[0];
    const name = `GBP 1m more for ${codes.find(({ code }) => code === council.value)!.name}`;
    const budgets = [{ fund_id: fund.fund_id, financial_year: fund.financial_year, amount_gbp: fund.amount_gbp + MORE_GBP }];
    const run = await post<RunBody>(`plans/${page.plan.id}/what-if`, { name, budgets });
    go({ run: run.id });
  };
  return [field("Council", council), button("Plan with GBP 1m more", buy, "secondary")];
}

/** What the service has worked out about a plan. */
export const explainedBy = (planId: string): Promise<Explained> => get<Explained>(`plans/${planId}/explain`);
