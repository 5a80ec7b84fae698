// Two maps of the same ground: side by side, or one over the other with a divider that can be moved.

import type { Map as LibreMap } from "maplibre-gl";
import { param, remember } from "./state";
import { element, radios } from "./ui";

export type Layout = "paired" | "swipe";

/** What is laid out: the section, the frame that holds the first map, and the second map's own box and heading. */
export interface Parts {
  section: HTMLElement;
  frame: HTMLElement;
  second: HTMLElement;
  /** Stand above the maps when they are side by side. */
  headings: [first: HTMLElement, second: HTMLElement];
}

/** The choice of layout with the divider's slider; `place` lays the maps out once they are drawn. */
export function layoutChoice(parts: Parts): { element: HTMLElement; place: (maps: LibreMap[]) => void } {
  const slider = element("input", { id: "divider", type: "range", min: "0", max: "100", step: "1", value: "50" });
  const row = element("div", { class: "divider-row" }, element("label", { for: "divider" }, "Divider: the first plan is left of it, the second right"), slider);
  const line = element("div", { class: "divider", "aria-hidden": "true" }, element("span", { class: "of-first" }, "First"), element("span", { class: "grip" }, "\u2194"), element("span", { class: "of-second" }, "Second"));
  let layout: Layout = param("maps") === "swipe" ? "swipe" : "paired";
  let drawn: LibreMap[] = [];
  const divide = () => {
    parts.frame.style.setProperty("--divider", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", `${slider.value} per cent of the map shows the first plan, ${100 - Number(slider.value)} per cent the second`);
  };
  const lay = () => {
    const swiped = layout === "swipe";
    parts.section.classList.toggle("paired", !swiped);
    parts.section.classList.toggle("swiped", swiped);
    for (const heading of parts.headings) heading.hidden = swiped;
    parts.second.classList.toggle("over", swiped);
    if (swiped) {
      parts.frame.querySelector(".canvas")!.append(parts.second, line);
      parts.frame.querySelector(".canvas")!.after(row);
    } else {
      parts.headings[1].after(parts.second);
      line.remove();
      row.remove();
    }
    if (drawn[1]) drawn[1].getCanvas().tabIndex = swiped ? -1 : 0; // the first map's keys move both
    for (const map of drawn) map.resize();
  };
  slider.addEventListener("input", divide);
  line.addEventListener("pointerdown", (event) => line.setPointerCapture(event.pointerId));
  line.addEventListener("pointermove", (event) => {
    if (!line.hasPointerCapture(event.pointerId)) return;
    const { left, width } = line.parentElement!.getBoundingClientRect();
    slider.value = String(Math.round((100 * (event.clientX - left)) / width));
    divide();
  });
  divide();
  const choice = radios("maps", "Maps", [["paired", "Side by side"], ["swipe", "One over the other, with a divider"]], layout, (value) => {
    layout = value as Layout;
    remember({ maps: layout === "swipe" ? layout : "" });
    lay();
  }, true);
  choice.classList.add("in-a-row");
  const place = (maps: LibreMap[]) => {
    drawn = maps;
    lay();
  };
  return { element: choice, place };
}
