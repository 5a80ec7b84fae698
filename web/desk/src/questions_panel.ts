// Why here, why not here, and what another million would buy.

import type { PlanPage } from "./pages/plan";
import type { RunBody } from "./resources";
import { post, rows } from "./service";
import { go } from "./state";
import { bullets, button, element, field, heading, hint, paragraph, select, table } from "./ui";
import { pounds, poundsEach, whole } from "./words";

interface PlacesRow {
  academic_year: string;
  places: number;
  pupils: number;
  latent_pupils: number;
}

interface PlacementRow {
  area_id: string;
  need_group: string;
  pupils: number;
}

interface ProjectRow {
  project_id: string;
  kind: string;
  cost_per_place_gbp: number;
  fixed_cost_gbp: number;
  max_places: number;
  exclusive_group: string | null;
}

export function questionsPanel(page: PlanPage): HTMLElement {
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
    ...(projects.length ? [heading(3, "Why here?"), field("Project in the plan", here), button("Why here?", ask(() => whyHere(page, here.value)), "secondary")] : []),
    ...(others.length ? [heading(3, "Why not here?"), field("Candidate that is not in the plan", notHere), button("Why not here?", ask(() => whyNot(page, notHere.value)), "secondary")] : []),
    heading(3, "What would another GBP 1m buy?"),
    hint("Plans again with GBP 1m more in one council's first year, and compares the two plans. It takes as long as this plan took."),
    ...million(page),
    answer,
  );
}

/** Who uses a project's places, from the plan's own tables. */
async function whyHere(page: PlanPage, id: string): Promise<HTMLElement[]> {
  const project = page.data.about.projects.find(({ project_id }) => project_id === id)!;
  const [used, placed] = await Promise.all([
    rows<PlacesRow>(`plans/${page.plan.id}/tables/places?pool_id=${encodeURIComponent(id)}`),
    rows<PlacementRow>(`plans/${page.plan.id}/tables/placements?pool_id=${encodeURIComponent(id)}&academic_year=${encodeURIComponent(page.plan.summary.academic_years.at(-1)!)}`),
  ]);
  const pupils = placed.reduce((sum, row) => sum + row.pupils, 0);
  const areas = new Set(placed.filter((row) => row.pupils > 0).map((row) => row.area_id)).size;
  return [
    heading(3, `Why ${project.name}?`),
    bullets([
      `It opens ${whole(project.places)} places for ${pounds(project.capital_gbp)}: ${poundsEach(project.capital_gbp / Math.max(project.places, 1))} a place, against ${poundsEach(page.plan.summary.capital_gbp / Math.max(page.plan.summary.new_places, 1))} on average in this plan.`,
      `In the last year it serves ${whole(pupils)} pupils from ${areas} areas.`,
    ]),
    table("Use of its places, pupils", ["Year", "Places", "Pupils of the placed demand", "Drawn from mainstream"], used.map((row) => [row.academic_year, whole(row.places), whole(row.pupils), whole(row.latent_pupils)])),
    paragraph("To see what the plan would be without it, set it to must not be built and plan again."),
  ];
}

/** What is known of a candidate that was left out. */
async function whyNot(page: PlanPage, id: string): Promise<HTMLElement[]> {
  const candidate = page.data.candidates.find(({ project_id }) => project_id === id)!;
  const [row] = await rows<ProjectRow>(`cases/${page.ofCase.id}/tables/projects?project_id=${encodeURIComponent(id)}`);
  const perPlace = row.cost_per_place_gbp + row.fixed_cost_gbp / Math.max(row.max_places, 1);
  const nearby = page.data.about.projects.filter((project) => project.where === candidate.where && candidate.where !== "New site");
  return [
    heading(3, `Why not ${candidate.name}?`),
    bullets([
      `At its full size a place costs ${poundsEach(perPlace)}, against ${poundsEach(page.plan.summary.capital_gbp / Math.max(page.plan.summary.new_places, 1))} on average in this plan.`,
      ...(nearby.length ? [`At the same setting the plan builds ${nearby.map(({ name }) => name).join(", ")}.`] : []),
      ...(page.decision(id) === "forbidden" ? ["It was ruled out beforehand."] : []),
    ]),
    paragraph("To see what the plan would be with it, set it to must be built and plan again: the comparison shows what it costs and displaces."),
  ];
}

function million(page: PlanPage): HTMLElement[] {
  const codes = page.ofCase.councils.filter(({ code }) => page.funds.some((fund) => fund.councils.split("|").includes(code)));
  const council = select("million", codes.map(({ code, name }) => [code, name]), codes[0]?.code ?? "");
  const buy = async () => {
    const fund = page.funds.find(({ councils, eligible_kinds }) => councils.split("|").includes(council.value) && eligible_kinds === "any") ?? page.funds.find(({ councils }) => councils.split("|").includes(council.value))!;
    const name = `GBP 1m more for ${codes.find(({ code }) => code === council.value)!.name}`;
    const budgets = [{ fund_id: fund.fund_id, financial_year: fund.financial_year, amount_gbp: fund.amount_gbp + 1e6 }];
    const run = await post<RunBody>(`plans/${page.plan.id}/what-if`, { name, budgets });
    go({ run: run.id });
  };
  return [field("Council", council), button("Plan with GBP 1m more", buy, "secondary"), element("span")];
}
