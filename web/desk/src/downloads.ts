// Everything that can be taken away of a plan.

import type { PlanData } from "../../map/src/data";
import type { PlanBody } from "./resources";
import { get, save, signedIn } from "./service";
import { element, link, paragraph, table } from "./ui";

interface TableBody {
  name: string;
  description: string;
}

interface FileBody {
  name: string;
  description: string;
  size_bytes: number;
}

export function downloads(plan: PlanBody, data: PlanData): HTMLElement {
  const box = element("div", {}, paragraph("Loading the list."));
  void Promise.all([get<FileBody[]>(`plans/${plan.id}/files`), get<TableBody[]>(`plans/${plan.id}/tables`)]).then(([files, tables]) => {
    const whole = files.map(({ name, description, size_bytes }) => [file(`v1/plans/${plan.id}/files/${name}`, `${plan.id}-${name}`, name), `${description}. ${size_bytes < 1e5 ? `${Math.ceil(size_bytes / 1e3)} kB` : `${(size_bytes / 1e6).toFixed(1)} MB`}.`]);
    const rows = tables.map(({ name, description }) => [file(`v1/plans/${plan.id}/tables/${name}?format=csv`, `${plan.id}-${name}.csv`, `${name}.csv`), description]);
    box.replaceChildren(
      table("Map, layers and headline", ["File", "What is in it"], whole, [1]),
      table("Tables of this plan, CSV in UTF-8", ["File", "What is in it"], rows, [1]),
      paragraph(data.about.modelled),
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
