// Changes on top of a plan that are not planned yet: the body of a what-if.

import type { Budget, Decision } from "./resources";

export interface Draft {
  pins: Record<string, Decision>;
  /** Fund, a bar and financial year -> allocation, GBP. */
  budgets: Record<string, number>;
  /** Factor on every allocation of every fund. */
  times?: number;
  scenario?: string;
  assumptions: Record<string, unknown>;
  gap?: number;
  time_limit_s?: number;
}

export const emptyDraft = (): Draft => ({ pins: {}, budgets: {}, assumptions: {} });

export const changesIn = (draft: Draft): number =>
  Object.keys(draft.pins).length + Object.keys(draft.budgets).length + Object.keys(draft.assumptions).length + (draft.times === undefined ? 0 : 1) + (draft.scenario === undefined ? 0 : 1);

/** The body of POST /v1/plans/{id}/what-if. */
export function whatIf(draft: Draft, name: string, funds: string[]): Record<string, unknown> {
  const { pins, budgets, times, scenario, assumptions, gap, time_limit_s } = draft;
  const single = Object.entries(budgets).map(([key, amount_gbp]): Budget => {
    const [fund_id, financial_year] = key.split("|");
    return { fund_id, financial_year, amount_gbp };
  });
  const all = times === undefined ? [] : funds.map((fund_id): Budget => ({ fund_id, times }));
  return {
    name,
    pins: Object.entries(pins).map(([project_id, decision]) => ({ project_id, decision })),
    budgets: [...all, ...single],
    assumptions,
    ...(scenario === undefined ? {} : { scenario }),
    ...(gap === undefined ? {} : { gap }),
    ...(time_limit_s === undefined ? {} : { time_limit_s }),
  };
}
