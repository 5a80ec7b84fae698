// The little that the page's two charts need.

type Point = [x: number, y: number];
type Shape = SVGElement;

const SPACE = "http://www.w3.org/2000/svg";
const EDGE = { left: 90, right: 40, top: 36, bottom: 40 };
const TICKS = 4;

export function shape(tag: string, attributes: Record<string, string | number>, words = ""): Shape {
  const made = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.textContent = words;
  return made;
}

/** A drawing with a text that stands for it. */
export function svg({ width, height }: { width: number; height: number }, name: string, ...shapes: Shape[]): Shape {
  const made = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": name, class: "chart" });
  made.append(...shapes);
  return made;
}

export const line = (points: Point[], kind: string): Shape => shape("polyline", { points: points.map((point) => point.join(",")).join(" "), class: kind });

export const text = ([x, y]: Point, words: string, anchor: "start" | "middle" | "end", down = 4): Shape => shape("text", { x, y: y + down, "text-anchor": anchor }, words);

/** Scales of a chart: where a point lies, and the frame with its ticks. */
export function axes({ width, height }: { width: number; height: number }, x: [number, number], y: [number, number]) {
  const stretch = ([low, high]: [number, number]): [number, number] => (high - low < 1e-9 ? [low - 0.5, high + 0.5] : [low, high]);
  const [left, right] = stretch(x);
  const [low, high] = stretch(y);
  const across = width - EDGE.left - EDGE.right;
  const down = height - EDGE.top - EDGE.bottom;
  const at = (valueX: number, valueY: number): Point => [EDGE.left + (across * (valueX - left)) / (right - left), EDGE.top + (down * (high - valueY)) / (high - low)];
  const frame = (formX: (value: number) => string, formY: (value: number) => string): Shape[] =>
    Array.from({ length: TICKS + 1 }, (_, i) => i / TICKS).flatMap((part) => {
      const [valueX, valueY] = [left + part * (right - left), low + part * (high - low)];
      const [px, py] = at(valueX, valueY);
      return [
        line([[EDGE.left, py], [width - EDGE.right, py]], "grid"),
        text([EDGE.left - 8, py], formY(valueY), "end"),
        text([px, height - EDGE.bottom], formX(valueX), "middle", 20),
      ];
    });
  return { at, frame };
}
