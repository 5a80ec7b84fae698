// Frontiers: what each budget would save, and what less travel, fewer independent placements or less unmet need would cost.

import { answerRows, askPlan, openAsPlan, type Question, questionsOf, underWay } from "../answers";
import { pointsChart } from "../points_chart";
import type { CaseBody, PlanBody, RequestBody, RunBody } from "../resources";
import { get, list, post, rows } from "../service";
import { href } from "../state";
import { button, checkboxes, type Child, field, heading, hint, link, paragraph, radios, select, show, table } from "../ui";
import { capital, count, pounds, signed, STATES, whole } from "../words";

const FACTORS = [0, 0.25, 0.5, 0.75, 1.25, 1.5, 2];

interface Stop {
  times: number;
  plan: PlanBody;
}

export async function frontierPage(id: string): Promise<void> {
  const plan = await get<PlanBody>(`plans/${id}`);
  const ofCase = await get<CaseBody>(`cases/${plan.case_id}`);
  const [requests, plans, runs, funds, limits] = await Promise.all([
    list<RequestBody>(`requests?case_id=${plan.case_id}`),
    list<PlanBody>(`plans?case_id=${plan.case_id}`),
    list<RunBody>(`runs?case_id=${plan.case_id}&state=queued&state=running`),
    rows<{ fund_id: string }>(`cases/${plan.case_id}/tables/funds`),
    limitsSection(plan, ofCase),
  ]);
  const ids = [...new Set(funds.map(({ fund_id }) => fund_id))];
  const asked = new Map(requests.filter(({ base_plan_id }) => base_plan_id === id).flatMap((one) => (factorOf(one, ids) === null ? [] : [[one.id, factorOf(one, ids)!] as [string, number]])));
  const stops: Stop[] = [{ times: 1, plan }, ...plans.flatMap((one) => (asked.has(one.request_id) ? [{ times: asked.get(one.request_id)!, plan: one }] : []))].sort((a, b) => a.times - b.times);
  const waiting = runs.filter(({ request_id }) => asked.has(request_id));
  const missing = FACTORS.filter((times) => ![...asked.values()].includes(times));
  const wanted = new Set(missing);
  const start = async () => {
    if (!wanted.size) throw new Error("Tick at least one budget.");
    for (const times of missing.filter((one) => wanted.has(one))) await post<RunBody>(`plans/${id}/what-if`, { name: `Budget times ${times}: ${plan.name}`.slice(0, 200), budgets: ids.map((fund_id) => ({ fund_id, times })), sensitivity: false });
    location.reload();
  };
  show(
    "What if there were more, or less?",
    [[href({ case: ofCase.id }), ofCase.name], [href({ plan: id }), `Plan: ${plan.name}`]],
    heading(1, "What if there were more, or less?"),
    heading(2, "What does more money buy?"),
    paragraph("Each point is a plan of its own, made with all allocations times a factor. It shows what the next pound buys, and where more money buys little."),
    ...(stops.length > 1 ? [moneyChart(stops, id)] : []),
    table(
      "Plans by budget",
      ["All allocations times", "Plan", "Capital spent", "Saving, present value", "Saving per extra pound", "New places"],
      stops.map(({ times, plan: one }, i) => [String(times), link(href(one.id === id ? { plan: id } : { plan: id, with: one.id }), one.id === id ? "this plan" : "compare with this plan"), pounds(one.summary.capital_gbp), pounds(one.summary.saving_gbp), marginal(stops, i), whole(one.summary.new_places)]),
      [1],
    ),
    ...(waiting.length ? [paragraph(`${count(waiting.length, "run")} under way: `, ...waiting.flatMap(({ id: run, name, state }, i) => [i ? "; " : "", link(href({ run }), name), ` (${STATES[state].toLowerCase()})`]), "."), button("Look again", () => location.reload(), "secondary")] : []),
    ...(missing.length
      ? [
          checkboxes("times", "Budgets that are not planned yet", "All allocations times this factor. Each takes about as long as this plan took.", missing.map((times) => [String(times), `Times ${times}`]), (value, ticked) => {
            if (ticked) wanted.add(Number(value));
            else wanted.delete(Number(value));
          }),
          button("Plan these budgets", start),
        ]
      : []),
    ...limits,
  );
}

/** The factor of a request that does nothing but multiply every allocation by one factor. */
function factorOf({ changes, settings }: RequestBody, funds: string[]): number | null {
  const budgets = changes.budgets ?? [];
  const times = budgets[0]?.times;
  const alike = budgets.length === funds.length && budgets.every((one) => one.times === times && !one.financial_year);
  return times !== undefined && alike && !changes.pins?.length && !Object.keys(settings.assumptions ?? {}).length ? times : null;
}

function marginal(stops: Stop[], at: number): string {
  if (!at) return "";
  const [before, now] = [stops[at - 1].plan.summary, stops[at].plan.summary];
  const more = now.capital_gbp - before.capital_gbp;
  return Math.abs(more) < 1 ? "no more spent" : `£${((now.saving_gbp - before.saving_gbp) / more).toFixed(2)}`;
}

function moneyChart(stops: Stop[], id: string): HTMLElement {
  const points = stops.map(({ times, plan }) => ({
    x: plan.summary.capital_gbp,
    y: plan.summary.saving_gbp,
    short: `×${times}`,
    name: `Times ${times}: capital ${pounds(plan.summary.capital_gbp)}, saving ${pounds(plan.summary.saving_gbp)}`,
    href: href(plan.id === id ? { plan: id } : { plan: id, with: plan.id }),
    own: plan.id === id,
  }));
  return pointsChart(points, { name: "capital spent, GBP", form: pounds, from: 0 }, { name: "saving, GBP, present value", form: pounds, from: 0 });
}

interface PointRow {
  limit: number;
  over_limit: number;
  cost_gbp: number;
  bound_gbp: number | null;
  capital_gbp: number;
  unmet_years: number;
  outside_years: number;
  minutes_years: number;
}

interface BuiltRow {
  point: number;
  project_id: string;
  places: number;
  start_financial_year: string;
}

/** What may be limited: how it is called, its column and its unit. */
const LIMITED: Record<string, { name: string; column: "minutes_years" | "outside_years" | "unmet_years"; unit: string }> = {
  travel: { name: "Shorter journeys", column: "minutes_years", unit: "pupil-minutes one way, all years, weighted" },
  independent: { name: "Fewer independent placements", column: "outside_years", unit: "pupil-years in independent places, weighted" },
  unmet: { name: "Fewer pupils without a suitable place", column: "unmet_years", unit: "pupil-years without a place, weighted" },
};

/** What ever tighter limits on journeys, independent placements or unmet need cost. */
async function limitsSection(plan: PlanBody, ofCase: CaseBody): Promise<Child[]> {
  const questions = await questionsOf(plan.id, "frontier");
  const answers = Object.keys(LIMITED).flatMap((over) => questions.find(({ asked, tables }) => asked.over === over && tables.length) ?? []);
  let over = "travel";
  const points = select("points", ["3", "5", "8"].map((number) => [number, number]), "3");
  return [
    heading(2, "What do shorter journeys or fewer independent placements cost?"),
    paragraph("The cheapest plans for ever tighter limits. Where the line is steep, the next step is dear."),
    ...(await Promise.all(answers.map((one) => limitsAnswer(plan, ofCase, one)))).flat(),
    ...underWay(questions),
    radios("over", "What should become less?", Object.entries(LIMITED).map(([value, { name }]) => [value, name]), over, (value) => (over = value), true),
    field("Plans to make", points, "Each takes about as long as this plan took."),
    button("Work it out", () => askPlan(plan.id, { kind: "frontier", over, points: Number(points.value) })),
  ];
}

async function limitsAnswer(plan: PlanBody, ofCase: CaseBody, question: Question): Promise<HTMLElement[]> {
  const { name, column, unit } = LIMITED[question.asked.over];
  const [found, built] = await Promise.all([answerRows<PointRow>(plan.id, question, "frontier"), answerRows<BuiltRow>(plan.id, question, "projects")]);
  const row = (at: number) => `${question.asked.over}-${at + 1}`;
  const points = found.map((one, at) => ({ x: one[column], y: one.cost_gbp, short: String(at + 1), name: `Plan ${at + 1}: ${whole(one[column])} ${unit}; cost ${pounds(one.cost_gbp)}`, href: `#${row(at)}` }));
  const cells = (one: PointRow, at: number): Child[] => [
    `Plan ${at + 1}`,
    whole(one[column]),
    pounds(one.cost_gbp),
    at ? signed(one.cost_gbp - found[0].cost_gbp, pounds) : "",
    pounds(one.capital_gbp),
    one.over_limit > 0 ? "no" : "yes",
    openAsPlan(`Open plan ${at + 1}`, plan, ofCase, `${name}, ${at + 1} of ${found.length}: ${ofCase.name}`, built.filter(({ point }) => point === at + 1)),
  ];
  const made = table(name, ["Plan", capital(unit), "Cost, present value", "More than plan 1", "Capital", "Keeps its limit", "Open"], found.map(cells), [5, 6]);
  made.querySelectorAll("tbody tr").forEach((tr, at) => tr.setAttribute("id", row(at)));
  return [
    heading(3, name),
    ...(found.length > 1 ? [pointsChart(points, { name: unit, form: whole }, { name: "cost in money, GBP, present value", form: pounds })] : []),
    made,
    hint("Open makes a plan of the same projects. Who goes where is then decided for least cost, so its figures may differ a little from the point's."),
  ];
}
