// Everything that can be taken away of a plan.

import type { PlanData } from "../../map/src/data";
import type { PlanBody } from "./resources";
import { get, save, signedIn } from "./service";
import { element, link, paragraph, table } from "./ui";

interface TableBody {
  name: string;
  description: string;
}

export function downloads(plan: PlanBody, data: PlanData): HTMLElement {
  const box = element("div", {}, paragraph("Loading the list."));
  void get<TableBody[]>(`plans/${plan.id}/tables`).then((tables) => {
    const rows = tables.map(({ name, description }) => [file(`v1/plans/${plan.id}/tables/${name}?format=csv`, `${plan.id}-${name}.csv`, `${name}.csv`), description]);
    box.replaceChildren(
      table("Tables of this plan, CSV in UTF-8", ["File", "What is in it"], rows, [1]),
      paragraph(`Headline, search and inputs: `, file(`v1/plans/${plan.id}`, `${plan.id}.json`, "plan (JSON)"), ". ", data.about.modelled),
    );
  });
  return box;
}

/** A link to a file; where one has to sign in, the key goes along. */
export function file(path: string, name: string, text: string): HTMLAnchorElement {
  const made = link(path, text);
  made.setAttribute("download", name);
  if (signedIn()) {
    made.addEventListener("click", (event) => {
      event.preventDefault();
      void save(path, name);
    });
  }
  return made;
}
