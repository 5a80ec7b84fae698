// A run under way: what is being done, and the gap closing between the best plan so far and the bound.

import { gapChart, type Step } from "../gap_chart";
import type { PlanBody, RequestBody, RunBody } from "../resources";
import { follow, get, post, ServiceError } from "../service";
import { go, href } from "../state";
import { button, element, expander, heading, link, paragraph, show, showError, summaryList, table, tag } from "../ui";
import { percent, pounds, STATES } from "../words";

const COLOURS: Record<string, string> = { queued: "grey", running: "blue", finished: "green", failed: "red", cancelled: "orange" };

/** Where the answer to a kind of question stands. */
const ANSWERED: Record<string, Record<string, string>> = { explain: { tab: "ask" }, frontier: { page: "frontier" }, robust: { page: "futures" } };

/** What has become of a run, by its state. */
const TITLES: Record<string, string> = { finished: "Plan made", failed: "No plan was made", cancelled: "Stopped" };

export async function runPage(id: string): Promise<void> {
  const run = await get<RunBody>(`runs/${id}`);
  const request = await get<RequestBody>(`requests/${run.request_id}`);
  const title = heading(1, "");
  const facts = element("div");
  const phase = element("p", { class: "govuk-body", role: "status" });
  const chart = element("div");
  const steps: Step[] = [];
  const phases: { at: string; phase: string }[] = [];
  const history = element("div");
  const cancel = button("Stop now and keep the best plan so far", async () => void (await post(`runs/${id}/cancel`, {})), "warning");
  const leave = paragraph("You can leave this page: the run goes on, and its plan stands under its case.");
  const began = Date.parse(run.created_at);

  const draw = (state: string, what: string) => {
    const best = steps.at(-1);
    const open = !(state in TITLES);
    const yet = open ? " yet" : "";
    title.textContent = `${request.changes.question ? (open ? "Working out answers" : "Answers") : (TITLES[state] ?? "Making a plan")}: ${run.name}`;
    phase.textContent = state === "running" && what ? `${what}.` : open ? `${STATES[state]}.` : "";
    facts.replaceChildren(
      summaryList([
        ["State", tag(STATES[state] ?? state, COLOURS[state] ?? "grey")],
        [state === "finished" ? "Best plan" : "Best plan so far", best?.incumbent ? `${pounds(best.incumbent)}, present value` : `none${yet}`],
        ["No plan costs less than", best?.bound ? `${pounds(best.bound)}, present value` : `not known${yet}`],
        ["Gap", best?.incumbent && best.bound ? `${percent(Math.max(0, best.incumbent - best.bound) / Math.abs(best.incumbent))} of the cost` : `not known${yet}`],
      ]),
    );
    chart.replaceChildren(gapChart(steps));
    history.replaceChildren(table("Phases so far", ["Phase", "Seconds since asked"], phases.map(({ at, phase }) => [phase, String(Math.round((Date.parse(at) - began) / 1000))])));
  };
  show(
    run.name,
    [[href({ case: run.case_id }), "Case"], ...(request.base_plan_id ? [[href({ plan: request.base_plan_id }), "Earlier plan"] as [string, string]] : [])],
    title,
    phase,
    facts,
    cancel,
    chart,
    expander("What has been done", history),
    leave,
  );
  draw(run.state, run.phase);
  let [state, what] = [run.state as string, run.phase];
  await follow(`runs/${id}/events`, (_, data) => {
    if (typeof data.state === "string") state = data.state;
    if (typeof data.phase === "string" && data.phase) {
      what = data.phase;
      phases.push({ at: data.at as string, phase: what });
    }
    if ("incumbent_gbp" in data || "bound_gbp" in data) {
      const earlier = steps.at(-1);
      const figure = (name: string, known: number | null | undefined) => (typeof data[name] === "number" ? (data[name] as number) : (known ?? null));
      const next = { seconds: (Date.parse(data.at as string) - began) / 1000, incumbent: figure("incumbent_gbp", earlier?.incumbent), bound: figure("bound_gbp", earlier?.bound) };
      steps.push(next);
    }
    draw(state, what);
  });
  const ended = await get<RunBody>(`runs/${id}`);
  const plan = ended.plan_id ? await get<PlanBody>(`plans/${ended.plan_id}`) : null;
  if (plan) steps.push({ seconds: steps.at(-1)?.seconds ?? 0, incumbent: plan.summary.objective_gbp, bound: plan.summary.bound_gbp });
  draw(ended.state, ended.phase);
  cancel.remove();
  leave.remove();
  if (ended.failure) showError(new ServiceError(0, ended.failure.detail, ended.failure.problems ?? []));
  if (request.changes.question && request.base_plan_id && ended.state === "finished") return go({ plan: request.base_plan_id, ...ANSWERED[request.changes.question.kind] });
  if (plan && (run.state === "running" || run.state === "queued")) return go(request.base_plan_id ? { plan: request.base_plan_id, with: plan.id } : { plan: plan.id });
  if (plan) facts.append(paragraph(link(href({ plan: plan.id }), "See the plan")));
  else facts.append(button("Try again", async () => go({ run: (await post<RunBody>(`runs/${id}/retry`, {})).id }), "secondary"));
}
