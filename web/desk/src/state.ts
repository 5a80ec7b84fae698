// The address of a view: what is open, what the map shows and which changes are drafted, so that a link brings back the same page.

import type { Measure } from "../../map/src/data";
import type { Layer, Selection, View } from "../../map/src/state";
import type { Draft } from "./draft";

const query = () => new URLSearchParams(location.search);

export const param = (name: string): string | null => query().get(name);

export const href = (parts: Record<string, string>): string => `?${new URLSearchParams(parts)}`;

export function go(parts: Record<string, string>): void {
  location.assign(href(parts));
}

/** Writes names and values into the address; an empty value takes the name out. */
export function remember(parts: Record<string, string>): void {
  const all = query();
  for (const [name, value] of Object.entries(parts)) {
    if (value) all.set(name, value);
    else all.delete(name);
  }
  history.replaceState(null, "", `?${all}`);
}

/** What the address says about the map's view. */
export function viewFromAddress(): Partial<View> {
  const number = (name: string) => (param(name) === null ? undefined : Number(param(name)));
  const drawn = param("layers")?.split(".");
  const layers = drawn && (Object.fromEntries((["settings", "projects", "candidates", "flows"] as Layer[]).map((layer) => [layer, drawn.includes(layer)])) as Record<Layer, boolean>);
  const given = { measure: (param("measure") as Measure) ?? undefined, group: number("need"), variant: number("when") as View["variant"], year: number("year"), layers };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

export function selectionFromAddress(): Selection | null {
  const [kind, index] = param("chosen")?.split(".") ?? [];
  return kind ? { kind: kind as Selection["kind"], index: Number(index) } : null;
}

export function rememberView(view: View, selection: Selection | null): void {
  remember({
    measure: view.measure,
    need: String(view.group),
    when: String(view.variant),
    year: String(view.year),
    layers: Object.entries(view.layers).filter(([, drawn]) => drawn).map(([layer]) => layer).join("."),
    chosen: selection ? `${selection.kind}.${selection.index}` : "",
  });
}

export function draftFromAddress(): Draft | null {
  try {
    return JSON.parse(param("draft") ?? "null") as Draft | null;
  } catch {
    return null;
  }
}
