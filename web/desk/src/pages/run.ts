// A run under way: what is being done, and the gap closing between the best plan so far and the bound.

import { gapChart, type Step } from "../gap_chart";
import type { RequestBody, RunBody } from "../resources";
import { follow, get, post } from "../service";
import { go, href } from "../state";
import { button, element, expander, heading, link, paragraph, show, showError, summaryList, table, tag } from "../ui";
import { percent, pounds, STATES } from "../words";

const COLOURS: Record<string, string> = { queued: "grey", running: "blue", finished: "green", failed: "red", cancelled: "orange" };

/** Where the answer to a kind of question stands. */
const ANSWERED: Record<string, Record<string, string>> = { explain: { tab: "ask" }, frontier: { page: "frontier" }, robust: { page: "futures" } };

export async function runPage(id: string): Promise<void> {
  const run = await get<RunBody>(`runs/${id}`);
  const request = await get<RequestBody>(`requests/${run.request_id}`);
  const facts = element("div");
  const phase = element("p", { class: "govuk-body", role: "status" });
  const chart = element("div");
  const steps: Step[] = [];
  const phases: { at: string; phase: string }[] = [];
  const history = element("div");
  const cancel = button("Stop now and keep the best plan so far", async () => void (await post(`runs/${id}/cancel`, {})), "warning");
  const began = Date.parse(run.created_at);

  const draw = (state: string, what: string) => {
    const best = steps.at(-1);
    phase.textContent = state === "running" && what ? `${what}.` : `${STATES[state]}.`;
    facts.replaceChildren(
      summaryList([
        ["State", tag(STATES[state] ?? state, COLOURS[state] ?? "grey")],
        ["Best plan so far", best?.incumbent ? `${pounds(best.incumbent)}, present value` : "none yet"],
        ["No plan costs less than", best?.bound ? `${pounds(best.bound)}, present value` : "not known yet"],
        ["Gap", best?.incumbent && best.bound ? `${percent(Math.max(0, best.incumbent - best.bound) / Math.abs(best.incumbent))} of the cost` : "not known yet"],
      ]),
    );
    chart.replaceChildren(gapChart(steps));
    history.replaceChildren(table("Phases so far", ["Phase", "Seconds since asked"], phases.map(({ at, phase }) => [phase, String(Math.round((Date.parse(at) - began) / 1000))])));
  };
  show(
    run.name,
    [[href({ case: run.case_id }), "Case"], ...(request.base_plan_id ? [[href({ plan: request.base_plan_id }), "Earlier plan"] as [string, string]] : [])],
    heading(1, `Making a plan: ${run.name}`),
    phase,
    facts,
    cancel,
    chart,
    expander("What has been done", history),
    paragraph("You can leave this page: the run goes on, and its plan stands under its case."),
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
  draw(ended.state, ended.phase);
  cancel.remove();
  if (ended.failure) showError(new Error(`The run failed (${ended.failure.reason}). ${ended.failure.detail}`));
  if (request.changes.question && request.base_plan_id && ended.state === "finished") return go({ plan: request.base_plan_id, ...ANSWERED[request.changes.question.kind] });
  if (!ended.plan_id) return;
  if (run.state === "running" || run.state === "queued") return request.base_plan_id ? go({ plan: request.base_plan_id, with: ended.plan_id }) : go({ plan: ended.plan_id });
  facts.append(paragraph(link(href({ plan: ended.plan_id }), "See the plan")));
}
