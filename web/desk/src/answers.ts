// Questions that the service answers by planning again, and plans made of the projects that an answer names.

import type { CaseBody, PlanBody, RunBody } from "./resources";
import { get, post, rows } from "./service";
import { go, href } from "./state";
import { button, type Child, link, paragraph } from "./ui";
import { count, STATES } from "./words";

/** A question about a plan and how it stands. */
export interface Question {
  run_id: string;
  kind: "explain" | "frontier" | "robust";
  asked: { over: string; risk: string; tail: number; scenarios: Record<string, number> };
  state: RunBody["state"];
  tables: string[];
  summary: Record<string, number | string>;
}

interface Named {
  project_id: string;
}

export async function questionsOf(planId: string, kind: Question["kind"]): Promise<Question[]> {
  return (await get<Question[]>(`plans/${planId}/questions`)).filter((one) => one.kind === kind);
}

export const answerRows = <T>(planId: string, { run_id }: Question, name: string): Promise<T[]> => rows<T>(`plans/${planId}/questions/${run_id}/${name}`);

export async function askPlan(planId: string, question: Record<string, unknown>): Promise<void> {
  const run = await post<RunBody>(`plans/${planId}/questions`, question);
  go({ run: run.id });
}

/** Runs that still work at a question. */
export function underWay(questions: Question[]): Child[] {
  const open = questions.filter(({ state }) => state === "queued" || state === "running");
  return open.length ? [paragraph(`${count(open.length, "question")} under way: `, ...open.flatMap(({ run_id, state }, i) => [i ? ", " : "", link(href({ run: run_id }), STATES[state].toLowerCase())]), ".")] : [];
}

/** A button that plans exactly these projects; who goes where is then decided for least cost. */
export function openAsPlan(words: string, plan: PlanBody, ofCase: CaseBody, name: string, projects: (Named & { places: number; start_financial_year: string })[]): HTMLButtonElement {
  const built = new Map(projects.map((one) => [one.project_id, one]));
  return button(
    words,
    async () => {
      const all = await rows<Named>(`cases/${ofCase.id}/tables/projects`);
      const pins = [...new Set(all.map(({ project_id }) => project_id))].map((project_id) => {
        const one = built.get(project_id);
        return one ? { project_id, decision: "committed", places: one.places, start: one.start_financial_year } : { project_id, decision: "forbidden" };
      });
      const run = await post<RunBody>(`plans/${plan.id}/what-if`, { name: name.slice(0, 200), pins, sensitivity: false });
      go({ run: run.id });
    },
    "secondary",
  );
}
