// More or less money: what each budget would save. Each point is a plan of its own; choose one to open it.

import type { PlanBody, RequestBody, RunBody } from "../resources";
import { get, list, post, rows } from "../service";
import { href } from "../state";
import { axes, line, shape, svg, text } from "../svg";
import { button, checkboxes, element, heading, link, paragraph, show, table } from "../ui";
import { count, pounds, STATES, whole } from "../words";

const FACTORS = [0, 0.25, 0.5, 0.75, 1.25, 1.5, 2];
const SIZE = { width: 760, height: 380 };

interface Stop {
  times: number;
  plan: PlanBody;
}

export async function frontierPage(id: string): Promise<void> {
  const plan = await get<PlanBody>(`plans/${id}`);
  const [requests, plans, runs, funds] = await Promise.all([
    list<RequestBody>(`requests?case_id=${plan.case_id}`),
    list<PlanBody>(`plans?case_id=${plan.case_id}`),
    list<RunBody>(`runs?case_id=${plan.case_id}&state=queued&state=running`),
    rows<{ fund_id: string }>(`cases/${plan.case_id}/tables/funds`),
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
    "More or less money",
    [[href({ case: plan.case_id }), "Case"], [href({ plan: id }), plan.name]],
    heading(1, "More or less money"),
    paragraph("Each point is a plan of its own, made with all allocations times a factor. It shows what the next pound buys, and where more money buys little."),
    ...(stops.length > 1 ? [chart(stops, id)] : []),
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

function chart(stops: Stop[], id: string): HTMLElement {
  const points = stops.map(({ plan }) => [plan.summary.capital_gbp, plan.summary.saving_gbp] as const);
  const scale = axes(SIZE, [0, Math.max(...points.map(([x]) => x))], [Math.min(0, ...points.map(([, y]) => y)), Math.max(...points.map(([, y]) => y))]);
  const sorted = [...points].sort(([a], [b]) => a - b).map(([x, y]) => scale.at(x, y));
  const place = ({ plan }: Stop) => scale.at(plan.summary.capital_gbp, plan.summary.saving_gbp);
  const near = (one: Stop, other: Stop) => Math.hypot(place(one)[0] - place(other)[0], place(one)[1] - place(other)[1]) < 30;
  const label = (stop: Stop) => (stops.find((other) => near(stop, other)) === stop ? stops.filter((other) => near(stop, other)).map((other) => `×${other.times}`).join(", ") : "");
  const dots = stops.flatMap((stop) => {
    const { times, plan } = stop;
    const [x, y] = place(stop);
    const open = shape("a", { href: href(plan.id === id ? { plan: id } : { plan: id, with: plan.id }), "aria-label": `Times ${times}: capital ${pounds(plan.summary.capital_gbp)}, saving ${pounds(plan.summary.saving_gbp)}` });
    open.append(shape("circle", { cx: x, cy: y, r: 9, class: plan.id === id ? "point this" : "point" }));
    return [open, text([x, y], label(stop), x < SIZE.width / 2 ? "start" : "end", -16)];
  });
  const drawing = svg(SIZE, "", ...scale.frame(pounds, pounds), line(sorted, "best"), ...dots);
  drawing.setAttribute("role", "group");
  drawing.setAttribute("aria-label", "Saving against capital spent; the same figures stand in the table below");
  return element("figure", { class: "desk-figure" }, drawing, element("figcaption", {}, "Across: capital spent, GBP. Up: saving, GBP, present value."));
}
