// What the reader has chosen to see.

import type { Measure, Variant } from "./data";

export type Layer = "settings" | "projects" | "flows";

export interface View {
  measure: Measure;
  group: number;
  variant: Variant;
  year: number;
  /** What is drawn on top of the shaded areas. */
  layers: Record<Layer, boolean>;
}

export interface Selection {
  kind: "area" | "site" | "project";
  index: number;
}
