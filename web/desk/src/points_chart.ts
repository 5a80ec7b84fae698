// A line through points that can be chosen. The same figures stand in a table beside it.

import { axes, line, shape, svg, text } from "./svg";
import { element } from "./ui";

export interface ChartPoint {
  x: number;
  y: number;
  /** Beside the point, in few letters. */
  short: string;
  /** For those who can't see it. */
  name: string;
  href: string;
  /** The plan that the page is about. */
  own?: boolean;
}

const SIZE = { width: 760, height: 380 };
const NEAR_PX = 30;
/** Share of the range that stays free beside the outermost points. */
const ROOM = 0.06;

/** `x` and `y` say what lies across and up, with units. */
export function pointsChart(points: ChartPoint[], x: { name: string; form: (value: number) => string; from?: number }, y: { name: string; form: (value: number) => string; from?: number }): HTMLElement {
  const range = (values: number[], from?: number): [number, number] => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const room = ROOM * (high - low);
    return [from === undefined ? Math.max(low - room, low < 0 ? -Infinity : 0) : Math.min(from, low), high + room];
  };
  const scale = axes(SIZE, range(points.map((one) => one.x), x.from), range(points.map((one) => one.y), y.from));
  const placed = points.map((one) => ({ ...one, at: scale.at(one.x, one.y) })).sort((a, b) => a.at[0] - b.at[0]);
  const near = (one: (typeof placed)[0]) => placed.filter(({ at }) => Math.hypot(at[0] - one.at[0], at[1] - one.at[1]) < NEAR_PX);
  const dots = placed.flatMap((one) => {
    const dot = shape("a", { href: one.href, "aria-label": one.name });
    dot.append(shape("circle", { cx: one.at[0], cy: one.at[1], r: 12, class: one.own ? "point this" : "point" }));
    const crowd = near(one);
    const label = crowd[0] === one ? crowd.map(({ short }) => short).join(", ") : "";
    return [dot, text(one.at, label, one.at[0] < SIZE.width / 2 ? "start" : "end", -18)];
  });
  const drawing = svg(SIZE, "", ...scale.frame(x.form, y.form), line(placed.map(({ at }) => at), "best"), ...dots);
  drawing.setAttribute("role", "group");
  drawing.setAttribute("aria-label", `${y.name} against ${x.name}; the same figures stand in the table below`);
  return element("figure", { class: "desk-figure" }, drawing, element("figcaption", {}, `Across: ${x.name}. Up: ${y.name}. Choose a point to go to it.`));
}
