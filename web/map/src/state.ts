// What the reader has chosen to see.

import type { Measure, Variant } from "./data";

export interface View {
  measure: Measure;
  group: number;
  variant: Variant;
  year: number;
}

export interface Selection {
  kind: "area" | "site" | "project";
  index: number;
}
