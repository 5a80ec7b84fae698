// The cost of the best plan so far and the bound under it, over time. The same figures stand in the table under the chart.

import { expander, table } from "./ui";
import { pounds } from "./words";
import { axes, line, svg, text } from "./svg";

export interface Step {
  seconds: number;
  incumbent: number | null;
  bound: number | null;
}

const SIZE = { width: 720, height: 240 };

export function gapChart(steps: Step[]): HTMLElement {
  const box = document.createElement("figure");
  box.className = "desk-figure";
  const known = steps.filter(({ incumbent, bound }) => incumbent !== null || bound !== null);
  const span = known.length ? known.at(-1)!.seconds - known[0].seconds : 0;
  if (span <= 0) return box;
  const values = known.flatMap(({ incumbent, bound }) => [incumbent, bound]).filter((value): value is number => value !== null);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const scale = axes(SIZE, [known[0].seconds, known.at(-1)!.seconds], [low - 0.1 * (high - low), high + 0.1 * (high - low)]);
  const path = (key: "incumbent" | "bound") => known.filter((step) => step[key] !== null).map((step) => scale.at(step.seconds, step[key]!));
  const incumbents = path("incumbent");
  const bounds = path("bound");
  box.append(
    svg(
      SIZE,
      "Cost of the best plan so far, solid, and the least possible cost, dashed, over time",
      ...scale.frame((seconds) => `${seconds.toFixed(span < 10 ? 1 : 0)} s`, pounds),
      line(incumbents, "best"),
      line(bounds, "bound"),
      ...(incumbents.length ? [text(incumbents.at(-1)!, "best plan", "end", -8)] : []),
      ...(bounds.length ? [text(bounds.at(-1)!, "least possible", "end", 20)] : []),
    ),
    expander(
      "The chart as a table",
      table(
        "Cost over time, GBP, present value",
        ["Seconds", "Best plan so far", "No plan costs less than"],
        known.slice(-100).map(({ seconds, incumbent, bound }) => [seconds.toFixed(0), incumbent === null ? "none yet" : pounds(incumbent), bound === null ? "not known" : pounds(bound)]),
      ),
    ),
  );
  return box;
}
