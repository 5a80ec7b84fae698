// The offline page comes to life: the explorer of its plan, and its table of projects.

import { PlanData } from "./data";
import { byId, makeSortable } from "./dom";
import { Explorer } from "./explorer";
import type { Selection } from "./state";
import { unpack } from "./unpack";

/** Draws the plan into the page. */
export async function start(workerUrl: string): Promise<void> {
  const data = await PlanData.load(unpack);
  const slots = { controls: byId("controls"), frame: byId("frame"), details: byId("details"), councils: byId("councils") };
  const explorer = await Explorer.create(data, slots, { workerUrl, changed: (_, selection) => markRow(data, selection) });
  makeSortable(byId<HTMLTableElement>("projects"));
  byId("projects").addEventListener("click", (event) => {
    const button = (event.target as HTMLElement).closest<HTMLButtonElement>("button[data-project]");
    if (!button) return;
    const index = data.about.projects.findIndex((project) => project.project_id === button.dataset.project);
    explorer.chooseAndGo({ kind: "project", index });
  });
}

function markRow(data: PlanData, selection: Selection | null): void {
  const chosen = selection?.kind === "project" ? data.about.projects[selection.index].project_id : null;
  for (const row of byId<HTMLTableElement>("projects").tBodies[0].rows) {
    if (row.dataset.project === chosen && chosen !== null) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
}
