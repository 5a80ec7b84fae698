// Changes of money, demand, journeys and weights on top of the plan, and planning again.

import type { Panel } from "./projects_panel";
import { changesIn, emptyDraft, whatIf } from "./draft";
import type { PlanPage } from "./pages/plan";
import type { FundRow, RunBody } from "./resources";
import { post } from "./service";
import { go } from "./state";
import { bullets, button, element, expander, field, guarded, heading, hint, numberInput, paragraph, radios, scroll, select } from "./ui";
import { assumed, DECISIONS, LIMITS, PHASES, plain, pounds, SCENARIOS, WEIGHTS } from "./words";

const key = ({ fund_id, financial_year }: FundRow) => `${fund_id}|${financial_year}`;

export function changePanel(page: PlanPage, status: HTMLElement): Panel {
  const { draft, ofCase, request, plan } = page;
  const summary = element("div");
  const name = element("input", { id: "name", class: "govuk-input", type: "text", value: `What if: ${ofCase.name}`.slice(0, 200) });
  const again = button("Plan again", async () => {
    if (!changesIn(draft)) throw new Error("Change something first: a project, the money, the demand, a limit or a weight.");
    const funds = [...new Set(page.funds.map(({ fund_id }) => fund_id))];
    const run = await post<RunBody>(`plans/${plan.id}/what-if`, whatIf(draft, name.value, funds));
    go({ run: run.id });
  });
  const undo = button("Undo all changes", () => {
    Object.assign(draft, emptyDraft(), { times: undefined, scenario: undefined });
    page.changed();
    location.reload();
  }, "secondary");
  const scenario = request.settings.scenario ?? "central";
  const panel = element(
    "div",
    {},
    status,
    summary,
    field("Name of the new plan", name),
    element("div", { class: "govuk-button-group" }, again, undo),
    heading(3, "Money"),
    ...money(page),
    ...(ofCase.scenarios.length > 1
      ? [
          radios("scenario", "Demand", ofCase.scenarios.map((one) => [one, SCENARIOS[one] ?? one]), draft.scenario ?? scenario, (value) => {
            draft.scenario = value === scenario ? undefined : value;
            page.changed();
          }),
        ]
      : [paragraph("This case has one demand scenario only.")]),
    heading(3, "Longest journey, minutes one way"),
    element("div", { class: "desk-fields" }, ...limits(page)),
    heading(3, "Weights"),
    element("div", { class: "desk-fields" }, ...weights(page)),
    expander("How long to search", ...effort(page)),
  );
  return { element: panel, refresh: () => summary.replaceChildren(...(changesIn(draft) ? [bullets(inWords(page))] : [])) };
}

/** What is drafted, line by line. */
function inWords(page: PlanPage): string[] {
  const { draft, data, funds } = page;
  const names = new Map([...data.about.projects, ...data.candidates].map(({ project_id, name }) => [project_id, name]));
  const before = new Map(funds.map((row) => [key(row), row.amount_gbp]));
  return [
    ...Object.entries(draft.pins).map(([id, decision]) => `${names.get(id) ?? id}: ${DECISIONS[decision].toLowerCase()}.`),
    ...(draft.times === undefined ? [] : [`All allocations times ${draft.times}.`]),
    ...Object.entries(draft.budgets).map(([fund, gbp]) => `${fund.replace("|", ", ")}: ${pounds(gbp)} instead of ${pounds(before.get(fund) ?? 0)}.`),
    ...(draft.scenario === undefined ? [] : [`Demand: ${SCENARIOS[draft.scenario] ?? draft.scenario}.`]),
    ...Object.entries(draft.assumptions).map(([name, value]) => `${assumed(name, value, unit(page, name))}.`),
  ];
}

const unit = (page: PlanPage, assumption: string): string => page.assumptions.find(({ name }) => name === assumption)?.unit ?? "";

/** Allocations by council and year. What an earlier what-if changed is shown as it changed it. */
function money(page: PlanPage): HTMLElement[] {
  const { draft, ofCase, request } = page;
  const asked = (row: FundRow) =>
    (request.changes.budgets ?? []).reduce((gbp, { fund_id, financial_year, amount_gbp, times }) => (fund_id !== row.fund_id || (financial_year && financial_year !== row.financial_year) ? gbp : (amount_gbp ?? gbp * (times ?? 1))), row.amount_gbp);
  const councils = ofCase.councils.filter(({ code }) => page.funds.some((fund) => fund.councils.split("|").includes(code)));
  const box = element("div");
  const showCouncil = (code: string) => {
    const mine = page.funds.filter((fund) => fund.councils.split("|").includes(code));
    const rows = mine.map((fund) => {
      const set = (value: string) => {
        const gbp = 1e6 * number(value, "an allocation");
        if (Math.abs(gbp - asked(fund)) < 1) delete draft.budgets[key(fund)];
        else draft.budgets[key(fund)] = gbp;
        page.changed();
      };
      const input = narrow(`fund-${key(fund)}`, String((draft.budgets[key(fund)] ?? asked(fund)) / 1e6), guarded(set));
      input.setAttribute("aria-label", `${fund.fund_id}, ${fund.financial_year}, GBP million`);
      const kinds = fund.eligible_kinds === "any" ? "any project" : fund.eligible_kinds.replaceAll("|", ", ").replaceAll("_", " ");
      const shared = fund.councils.includes("|") ? "; shared with other councils" : "";
      return element("tr", {}, element("th", { scope: "row" }, fund.fund_id, element("small", {}, `for ${kinds}${shared}`)), element("td", {}, fund.financial_year), element("td", {}, input));
    });
    const heads = ["Fund", "Financial year", "Allocation, GBP million"].map((text) => element("th", { scope: "col" }, text));
    box.replaceChildren(scroll("Allocations", element("table", {}, element("caption", {}, "Allocations"), element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows))));
  };
  showCouncil(councils[0]?.code ?? "");
  const times = numberInput("times", String(draft.times ?? 1), guarded((value) => {
    const factor = number(value, "the factor");
    draft.times = factor === 1 ? undefined : factor;
    page.changed();
  }));
  return [
    field("Council", select("council", councils.map(({ code, name }) => [code, name]), councils[0]?.code ?? "", showCouncil)),
    box,
    field("Or all allocations of all councils, times", times, "For example 0.5 for half the money, 1.25 for a quarter more. The case's own allocations count as 1."),
  ];
}

/** A figure as the plan had it: asked for with the plan, else changed by the case, else the default. */
function current(page: PlanPage, name: string): unknown {
  return page.request.settings.assumptions?.[name] ?? page.plan.summary.assumptions_changed?.[name] ?? page.assumptions.find((one) => one.name === name)?.value;
}

function limits(page: PlanPage): HTMLElement[] {
  const { draft } = page;
  const before = current(page, LIMITS) as Record<string, number>;
  const now = { ...before, ...(draft.assumptions[LIMITS] as Record<string, number> | undefined) };
  return Object.entries(PHASES)
    .filter(([phase]) => phase in before)
    .map(([phase, name]) =>
      field(
        name,
        narrow(`limit-${phase}`, String(now[phase]), guarded((value) => {
          now[phase] = number(value, "the minutes");
          if (Object.keys(before).every((one) => now[one] === before[one])) delete draft.assumptions[LIMITS];
          else draft.assumptions[LIMITS] = { ...now };
          page.changed();
        })),
      ),
    );
}

function weights(page: PlanPage): HTMLElement[] {
  const { draft } = page;
  return Object.entries(WEIGHTS).map(([name, label]) => {
    const before = Number(current(page, name));
    const input = narrow(`weight-${name}`, plain(Number(draft.assumptions[name] ?? before)), guarded((value) => {
      const figure = number(value, "the weight");
      if (figure === before) delete draft.assumptions[name];
      else draft.assumptions[name] = figure;
      page.changed();
    }));
    return field(label, input, unit(page, name));
  });
}

function effort(page: PlanPage): HTMLElement[] {
  const { draft, request } = page;
  const gap = numberInput("gap", String(100 * (draft.gap ?? request.settings.gap ?? 0.01)), guarded((value) => (draft.gap = number(value, "the gap") / 100)));
  const limit = numberInput("limit-s", String(draft.time_limit_s ?? request.settings.time_limit_s ?? 600), guarded((value) => (draft.time_limit_s = number(value, "the time limit"))));
  return [field("Stop within this share of the least possible cost, per cent", gap), field("Stop after so many seconds", limit), hint("The best plan by then is kept, with how far it may be from the best.")];
}

function narrow(...of: Parameters<typeof numberInput>): HTMLInputElement {
  const input = numberInput(...of);
  input.classList.replace("govuk-input--width-10", "govuk-input--width-5");
  return input;
}

/** The number that was typed. */
function number(value: string, what: string): number {
  const figure = Number(value.replaceAll(",", "").trim());
  if (!value.trim() || !Number.isFinite(figure) || figure < 0) throw new Error(`Enter ${what} as a number that is not negative.`);
  return figure;
}
