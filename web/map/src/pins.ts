// Where pins stand on the screen, so that none hides another: close ones step aside, crowds become one pin with their number.

export interface Point {
  x: number;
  y: number;
}

/** One pin to draw: its place on the screen, the place it stands for, and which points it stands for. */
export interface Pin extends Point {
  at: Point;
  members: number[];
}

const STEPS = 80;
/** More than this many close together become one pin, when there is no room for all. */
const MOST_ASIDE = 3;
/** A pin with the space it needs around it to stay readable, in pins. */
const ROOM = 7;

/** Arranges points of the screen, in pixels, as pins of `width` by `height` within an `area` of so many square pixels. */
export function arrange(points: Point[], width: number, height: number, area: number): Pin[] {
  const crowded = points.length * width * height * ROOM > area;
  const groups = crowded ? crowds(points, 1.3 * width).flatMap((group) => (group.length > MOST_ASIDE ? [group] : group.map((member) => [member]))) : points.map((_, i) => [i]);
  const pins = groups.map((members): Pin => {
    const at = middle(members.map((member) => points[member]));
    return { ...at, at, members };
  });
  stepAside(pins, width, height);
  return pins;
}

/** Groups of points within `reach` of the first of each. */
function crowds(points: Point[], reach: number): number[][] {
  const groups: number[][] = [];
  points.forEach((point, i) => {
    const near = groups.find(([first]) => Math.hypot(points[first].x - point.x, points[first].y - point.y) < reach);
    if (near) near.push(i);
    else groups.push([i]);
  });
  return groups;
}

/** Moves pins that overlap apart along the line between them, little by little; those that coincide fan out. */
function stepAside(pins: Pin[], width: number, height: number): void {
  for (let step = 0; step < STEPS; step++) {
    let moved = false;
    for (let i = 0; i < pins.length; i++) {
      for (let j = i + 1; j < pins.length; j++) {
        const [first, second] = [pins[i], pins[j]];
        let dx = (second.x - first.x) / width;
        let dy = (second.y - first.y) / height;
        if (Math.abs(dx) >= 1 || Math.abs(dy) >= 1) continue;
        let apart = Math.hypot(dx, dy);
        if (apart >= 1) continue;
        if (apart < 0.01) [dx, dy, apart] = [Math.cos(2.4 * j), Math.sin(2.4 * j), 1];
        const push = (1 - Math.min(apart, 0.99)) / 2 / apart + 0.01;
        first.x -= dx * push * width;
        first.y -= dy * push * height;
        second.x += dx * push * width;
        second.y += dy * push * height;
        moved = true;
      }
    }
    if (!moved) return;
  }
}

function middle(points: Point[]): Point {
  const sum = points.reduce((total, point) => ({ x: total.x + point.x, y: total.y + point.y }), { x: 0, y: 0 });
  return { x: sum.x / points.length, y: sum.y / points.length };
}
