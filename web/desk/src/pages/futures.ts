// One set of projects for several demand scenarios: what it costs in each, and which projects are right whatever happens.

import { answerRows, askPlan, openAsPlan, type Question, questionsOf, underWay } from "../answers";
import type { CaseBody, PlanBody } from "../resources";
import { get } from "../service";
import { href } from "../state";
import { bullets, element, field, button, heading, hint, numberInput, paragraph, radios, show, table } from "../ui";
import { count, percent, pounds, SCENARIOS, whole } from "../words";

interface ScenarioRow {
  scenario: string;
  probability: number;
  cost_gbp: number;
  own_plan_gbp: number;
  best_possible_gbp: number;
  without_gbp: number;
  saving_gbp: number;
  regret_gbp: number;
}

interface SharedRow {
  project_id: string;
  name: string;
  shared: boolean;
  places: number;
  start_financial_year: string;
  chosen_share: number;
  verdict: string;
}

const RISKS: Record<string, string> = {
  expected: "Least cost on average over the futures",
  cvar: "Least cost in the worst futures",
  regret: "Least regret: never far from what would have been best",
};

const VERDICTS: Record<string, string> = {
  "no regret": "No regret: right in every future",
  likely: "Likely: right in half the futures or more",
  hedge: "Hedge: pays as insurance only",
  option: "Option: not shared, but right in some future",
};

export async function futuresPage(id: string): Promise<void> {
  const plan = await get<PlanBody>(`plans/${id}`);
  const [ofCase, questions] = await Promise.all([get<CaseBody>(`cases/${plan.case_id}`), questionsOf(id, "robust")]);
  const answered = questions.find(({ tables }) => tables.length);
  show(
    "Several futures",
    [[href({ case: ofCase.id }), ofCase.name], [href({ plan: id }), `Plan: ${plan.name}`]],
    heading(1, "One plan for several futures"),
    paragraph("Nobody knows which demand will come. Here the projects are chosen once, for all the futures together; who goes where is decided in each of them."),
    ...(answered ? await answer(plan, ofCase, answered) : []),
    ...underWay(questions),
    ...ask(plan, ofCase, Boolean(answered)),
  );
}

async function answer(plan: PlanBody, ofCase: CaseBody, question: Question): Promise<HTMLElement[]> {
  const [futures, projects] = await Promise.all([answerRows<ScenarioRow>(plan.id, question, "scenarios"), answerRows<SharedRow>(plan.id, question, "projects")]);
  const shared = projects.filter((one) => one.shared);
  const sure = shared.filter(({ verdict }) => verdict === "no regret");
  const { value_gbp, bound_gbp } = question.summary as Record<string, number>;
  return [
    heading(2, "Projects for all futures"),
    bullets([
      `${count(shared.length, "project")} shared by all futures, ${whole(sure.length)} of them right in every future.`,
      `${RISKS[question.asked.risk]}: ${pounds(value_gbp)}, present value; no set of projects comes below ${pounds(bound_gbp)}.`,
    ]),
    table(
      "What the shared projects come to, GBP, present value",
      ["Demand", "Probability", "Cost", "Saving against only what is committed", "Own best plan costs", "Regret at most"],
      futures.map((row) => [SCENARIOS[row.scenario] ?? row.scenario, percent(row.probability), pounds(row.cost_gbp), pounds(row.saving_gbp), pounds(row.own_plan_gbp), pounds(row.regret_gbp)]),
    ),
    hint("Regret is what the shared projects cost more than the best plan for that future alone could."),
    table(
      count(projects.length, "project"),
      ["Project", "Verdict", "Chosen in futures with a probability of", "Places", "Begins in"],
      projects.map((row) => [row.name, VERDICTS[row.verdict] ?? row.verdict, percent(row.chosen_share), row.shared ? whole(row.places) : "not shared", row.shared ? row.start_financial_year : ""]),
      [1, 4],
    ),
    openAsPlan("Open the shared projects as a plan", plan, ofCase, `Shared by ${count(futures.length, "future")}: ${ofCase.name}`, shared),
  ];
}

function ask(plan: PlanBody, ofCase: CaseBody, again: boolean): HTMLElement[] {
  if (ofCase.scenarios.length < 2) return [element("div", { class: "govuk-inset-text" }, "This case has one demand scenario only, so there are no futures to weigh. Add others to the scenario column of its table of pupils.")];
  let risk = "expected";
  const even = Math.floor(100 / ofCase.scenarios.length);
  const chances = ofCase.scenarios.map((name, i) => ({ name, input: numberInput(`chance-${name}`, String(i ? even : 100 - even * (ofCase.scenarios.length - 1))) }));
  for (const { input } of chances) input.classList.replace("govuk-input--width-10", "govuk-input--width-5");
  const start = () => {
    const given = chances.map(({ name, input }) => [name, Number(input.value)] as const);
    if (given.some(([, chance]) => !(chance >= 0)) || Math.abs(given.reduce((sum, [, chance]) => sum + chance, 0) - 100) > 0.01) throw new Error("Enter probabilities that sum to 100 per cent. 0 leaves a future out.");
    return askPlan(plan.id, { kind: "robust", risk, scenarios: Object.fromEntries(given.filter(([, chance]) => chance > 0).map(([name, chance]) => [name, chance / 100])) });
  };
  return [
    heading(2, again ? "Weigh the futures again" : "Weigh the futures"),
    element("div", { class: "desk-fields" }, ...chances.map(({ name, input }) => field(`${SCENARIOS[name] ?? name}, per cent`, input))),
    radios("risk", "What should be least?", Object.entries(RISKS), risk, (value) => (risk = value), true),
    hint("It plans each future by itself and then all together, so it takes several times as long as this plan took."),
    button("Find projects for all futures", start),
  ];
}
