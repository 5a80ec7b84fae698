// Classes of the choropleth: the same over all years and both variants, so that a change of shade is a change of the figure.

import { type Measure, MEASURES, type PlanData, type Variant } from "./data";

/** One hue from light to dark: readable in grey and by colour-blind readers. */
export const SHADES = ["#f7fbff", "#d0e1f2", "#9fc6e3", "#5fa2d0", "#2a77b4", "#0c4a8a"];

const FIXED: Partial<Record<Measure, number[]>> = { minutes: [15, 20, 30, 45, 75], share: [10, 20, 30, 40, 50] };

/** Figures are shown to one decimal, so less than this is none. */
const LEAST = 0.1;

const known = new WeakMap<PlanData, Map<string, number[]>>();

/** Lower bounds of the second class and up. Worked out once for each measure and need of a plan. */
export function breaks(data: PlanData, measure: Measure, group: number): number[] {
  const fixed = FIXED[measure];
  if (fixed) return fixed;
  const ofPlan = known.get(data) ?? new Map<string, number[]>();
  known.set(data, ofPlan);
  const key = `${measure} ${group}`;
  const bounds = ofPlan.get(key) ?? quantiles(data, measure, group);
  ofPlan.set(key, bounds);
  return bounds;
}

function quantiles(data: PlanData, measure: Measure, group: number): number[] {
  const values: number[] = [];
  for (const variant of data.about.variants.keys()) {
    for (let year = 0; year < data.about.years.length; year++) {
      for (let area = 0; area < data.about.areas; area++) {
        const value = data.value(measure, variant as Variant, group, year, area);
        if (value) values.push(value);
      }
    }
  }
  values.sort((a, b) => a - b);
  const shares = measure === "unmet" ? [0.2, 0.4, 0.6, 0.8] : [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6];
  const bounds = shares.map((share) => round(values[Math.floor(share * values.length)] ?? 0)).filter((value) => value > LEAST);
  return [...new Set(measure === "unmet" ? [LEAST, ...bounds] : bounds)];
}

/** Number of the class that a figure falls into. */
export function classOf(value: number, bounds: number[]): number {
  let number = 0;
  while (number < bounds.length && value >= bounds[number] - 1e-9) number++;
  return number;
}

/** Class -> shade, spread over the ramp when there are few classes. */
export function shade(number: number, bounds: number[]): string {
  return SHADES[Math.round((number * (SHADES.length - 1)) / Math.max(bounds.length, 1))];
}

/** "5 to under 10" for each class, lightest first. */
export function classLabels(bounds: number[], measure: Measure): string[] {
  const form = (value: number) => String(Number(value.toFixed(1)));
  const sign = measure === "share" ? " %" : "";
  if (!bounds.length) return ["all"];
  const first = measure === "unmet" ? "none" : `under ${form(bounds[0])}${sign}`;
  const rest = bounds.map((bound, i) => (i + 1 < bounds.length ? `${form(bound)} to under ${form(bounds[i + 1])}${sign}` : `${form(bound)}${sign} or more`));
  return [first, ...rest];
}

/** Decimals of counts of pupils and places that stand together: one where all are small, else none. */
export const decimals = (most: number): number => (most < 100 ? 1 : 0);

export function describe(value: number | null, measure: Measure, digits = decimals(value ?? 0)): string {
  if (value === null) return "not shown";
  if (measure === "minutes" || measure === "share") return `${value.toFixed(0)} ${measure === "minutes" ? "min" : "%"}`;
  return value.toLocaleString("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export const unitOf = (measure: Measure): string => MEASURES[measure].unit;

function round(value: number): number {
  if (value < 1) return Number(value.toFixed(1));
  const size = 10 ** Math.floor(Math.log10(value));
  return Math.round((value / size) * 2) * (size / 2);
}
