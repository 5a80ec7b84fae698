// Figures and states in plain words, as the other outputs write them.

/** GBP in millions with one decimal, from a thousand million in billions: "£12.3m". */
export function pounds(gbp: number): string {
  const size = Math.abs(gbp);
  const sign = Math.round(gbp / 1e5) < 0 ? "-" : "";
  return size >= 1e9 ? `${sign}£${(size / 1e9).toFixed(2)}bn` : `${sign}£${(size / 1e6).toLocaleString("en-GB", { minimumFractionDigits: 1, maximumFractionDigits: 1 })}m`;
}

export const whole = (value: number): string => Math.round(value).toLocaleString("en-GB");

/** GBP to the nearest hundred: for what a single place costs. */
export const poundsEach = (gbp: number): string => `£${(Math.round(gbp / 100) * 100).toLocaleString("en-GB")}`;

export const percent = (share: number): string => `${(100 * share).toFixed(Math.abs(share) < 0.0995 ? 1 : 0)} %`;

/** A difference with its sign. */
export const signed = (value: number, form: (value: number) => string): string => (value > 0 ? `+${form(value)}` : form(value));

export const day = (time: string): string => new Date(time).toLocaleString("en-GB", { day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit" });

const ENDINGS: Record<string, string> = {
  optimal: "No better plan exists under these assumptions.",
  gap_reached: "As close to the best as was asked.",
  time_limit: "Stopped at the time limit.",
  interrupted: "Stopped by the user.",
  infeasible: "Some requirements clash, so no plan keeps them all.",
};

/** How good a plan is and why the search ended. */
export function verdict(of: { termination: string; gap_of_cost: number; objective_gbp: number; bound_gbp: number }): string {
  const ending = ENDINGS[of.termination] ?? of.termination;
  if (of.termination === "optimal" || of.termination === "infeasible") return ending;
  return `Within ${percent(of.gap_of_cost)} of the best possible cost. ${ending} At most ${pounds(Math.max(of.objective_gbp - of.bound_gbp, 0))} more could be saved.`;
}

export const STATES: Record<string, string> = { queued: "Waiting", running: "Running", finished: "Finished", failed: "Failed", cancelled: "Cancelled" };

export const DECISIONS: Record<string, string> = { open: "The plan decides", committed: "Must be built", forbidden: "Must not be built" };

/** "2 projects", "1 project". */
export const count = (number: number, thing: string): string => `${number.toLocaleString("en-GB")} ${thing}${number === 1 ? "" : "s"}`;

export const last = <T>(byYear: Record<string, T>): T | undefined => Object.values(byYear).at(-1);

export const SCENARIOS: Record<string, string> = { low: "Low: fewer pupils", central: "Central: the forecast", high: "High: more pupils" };

/** With a capital letter. */
export const capital = (text: string): string => text[0].toUpperCase() + text.slice(1);

export const PHASES: Record<string, string> = { EY: "Early years (under 5)", PRI: "Primary (5 to 10)", SEC: "Secondary (11 to 15)", P16: "Post-16 (16 to 18)", P19: "Young adults (19 to 25)" };
export const WEIGHTS: Record<string, string> = {
  "unmet.weight": "A pupil without a suitable place",
  "travel.excess_weight": "A minute of journey beyond the limit",
  "overcrowding.weight": "A pupil above a setting's places",
  "displacement.share": "Pupils in new places who would otherwise be in independent ones",
};

/** Name of the assumption that holds the longest journeys by phase. */
export const LIMITS = "travel.limit_min";

export const plain = (value: number): string => value.toLocaleString("en-GB", { maximumFractionDigits: 6 });

/** What an assumption is set to. */
export function assumed(name: string, value: unknown, unit: string): string {
  if (name === LIMITS) return `Longest journey: ${Object.entries(value as Record<string, number>).map(([phase, minutes]) => `${PHASES[phase]} ${plain(minutes)} minutes`).join(", ")}`;
  return `${WEIGHTS[name] ?? name}: ${typeof value === "number" ? `${plain(value)} ${unit}`.trim() : JSON.stringify(value)}`;
}
