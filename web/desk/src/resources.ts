// What the service tells about cases, runs and plans.

import type { Fault } from "./service";

export interface Named {
  id: string;
  name: string;
  created_at: string;
}

export interface CaseBody extends Named {
  level: "lsoa" | "msoa";
  academic_years: string[];
  programme: string;
  price_base: string;
  disclosure: "open" | "protected";
  councils: { code: string; name: string }[];
  scenarios: string[];
  rows: Record<string, number>;
  capital_gbp: number;
  warnings: number;
}

export interface RunBody extends Named {
  state: "queued" | "running" | "finished" | "failed" | "cancelled";
  case_id: string;
  request_id: string;
  plan_id: string | null;
  cancelling: boolean;
  phase: string;
  incumbent_gbp: number | null;
  bound_gbp: number | null;
  failure: { reason: string; detail: string; problems?: Fault[] } | null;
}

export interface Summary {
  termination: string;
  objective_gbp: number;
  bound_gbp: number;
  gap_of_cost: number;
  saving_gbp: number;
  cash_saving_gbp: number;
  rule_saving_gbp: number;
  capital_gbp: number;
  new_places: number;
  independent_avoided: Record<string, number>;
  unmet: Record<string, number>;
  academic_years: string[];
  price_base: string;
  travel_source?: string;
  assumptions_changed: Record<string, unknown>;
  sensitivity: { what: string; value: number | string; saving_gbp: number }[];
  notes?: string[];
}

export interface PlanBody extends Named {
  case_id: string;
  request_id: string;
  run_id: string;
  audit_passed: boolean;
  approved_by: string | null;
  summary: Summary;
}

export interface Pin {
  project_id: string;
  decision: Decision;
}

export interface Budget {
  fund_id: string;
  financial_year?: string;
  amount_gbp?: number;
  times?: number;
}

export interface RequestBody extends Named {
  case_id: string;
  base_plan_id: string | null;
  settings: { scenario?: string; gap?: number; time_limit_s?: number; assumptions?: Record<string, unknown> };
  changes: { pins?: Pin[]; budgets?: Budget[]; question?: { kind: string } };
}

export type Decision = "open" | "committed" | "forbidden";

export interface FundRow {
  fund_id: string;
  councils: string;
  financial_year: string;
  amount_gbp: number;
  eligible_kinds: string;
}

export interface Comparison {
  comparable: boolean;
  figures: { name: string; unit: string; first: number; second: number; difference: number }[];
  projects: { project_id: string; name: string; places_first: number; places_second: number; capital_gbp_first: number; capital_gbp_second: number; change: string }[];
}

export interface Assumption {
  name: string;
  value: unknown;
  unit: string;
  source: string;
  status: string;
}
