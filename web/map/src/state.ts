// What the reader has chosen to see.

import type { Measure, PlanData, Variant } from "./data";

export type Layer = "settings" | "projects" | "candidates" | "flows";

export interface View {
  measure: Measure;
  group: number;
  variant: Variant;
  year: number;
  /** What is drawn on top of the shaded areas. */
  layers: Record<Layer, boolean>;
}

export interface Selection {
  kind: "area" | "site" | "project" | "candidate";
  index: number;
}

/** Need in the last year with the plan. */
export function startView({ about }: PlanData): View {
  const layers = { settings: true, projects: true, candidates: false, flows: false };
  return { measure: "need", group: 0, variant: (about.variants.length - 1) as Variant, year: about.years.length - 1, layers };
}
