// The map of a page: the explorer that the offline map has too, with a link to the view and the table beside it.

import type { PlanData } from "../../map/src/data";
import { Explorer, type Options, type Slots } from "../../map/src/explorer";
import { rememberView, selectionFromAddress, viewFromAddress } from "./state";
import { button, element, heading, paragraph, scroll } from "./ui";

const meta = (name: string) => document.querySelector<HTMLMetaElement>(`meta[name=${name}]`)!.content;

/** Where the script of the map's worker stands. */
export const workerUrl = (): string => new URL(meta("worker"), location.href).href;

export const baseMap = (): string | undefined => meta("base-map") || undefined;

export interface MapSection {
  element: HTMLElement;
  slots: Slots;
  /** Beside the map, under the details. */
  beside: HTMLElement;
}

export function mapSection(title: string, note: string, ...extra: HTMLElement[]): MapSection {
  const slots: Slots = {
    controls: element("div", { id: "controls", hidden: "" }),
    frame: element("div"),
    details: element("div", { id: "details", "aria-live": "polite" }),
    councils: element("div"),
  };
  const beside = element("div", { class: "beside" }, element("section", { class: "details", "aria-label": "Details" }, slots.details), ...extra);
  const shared = element("span", { role: "status" });
  const share = button(
    "Copy a link to this view",
    async () => {
      await navigator.clipboard.writeText(location.href);
      shared.textContent = "Copied. It opens this page with the same map, choices and drafted changes.";
    },
    "secondary",
  );
  const councils = scroll("Figures by council", slots.councils);
  const section = element(
    "section",
    { "aria-labelledby": "map-heading" },
    heading(2, title, { id: "map-heading" }),
    slots.controls,
    element("div", { class: "side-by-side" }, element("div", { class: "map-frame" }, slots.frame, element("p", { class: "note" }, note), share, shared), beside),
    heading(3, "Figures by council"),
    paragraph("For the need and the year chosen above the map. Pupils count where they live, places where they stand; a place that is open to several needs counts for each."),
    councils,
  );
  return { element: section, slots, beside };
}

/** Draws the map into its section; the view comes from the address and goes back into it. */
export function openMap({ slots }: MapSection, data: PlanData, options: Partial<Options> = {}): Promise<Explorer> {
  return Explorer.create(data, slots, {
    workerUrl: workerUrl(),
    baseMap: baseMap(),
    view: viewFromAddress(),
    selection: selectionFromAddress(),
    ...options,
    changed: (view, selection) => {
      rememberView(view, selection);
      options.changed?.(view, selection);
    },
  });
}
