// The page comes to life: controls, map and panels show one view and one selection.

import { type Measure, MEASURES, PlanData, type Variant } from "./data";
import { byId, element, makeSortable } from "./dom";
import { PlanMap } from "./map";
import { showCouncils, showDetails, showKey, showLegend } from "./panels";
import { type Layer, type Selection, type View } from "./state";
import { unpack } from "./unpack";

const MOST_SUGGESTIONS = 30;

/** Draws the plan into the page; without WebGL the tables and details still work. Sets `data-ready` on the map once it stands still; the map object is `window.planMap`. */
export async function start(workerUrl: string): Promise<void> {
  const data = await PlanData.load(unpack);
  const view: View = { measure: "need", group: 0, variant: 1, year: data.about.years.length - 1, layers: { settings: true, projects: true, flows: false } };
  let selection: Selection | null = null;
  fillControls(data, view);
  showKey(data);
  const container = byId("map");
  const drawn = await PlanMap.create(container, workerUrl, data).catch((error: Error) => {
    explain(error);
    return null;
  });

  const show = () => {
    container.dataset.ready = "false";
    byId("year-name").textContent = data.about.years[view.year];
    byId("year").setAttribute("aria-valuetext", data.about.years[view.year]);
    drawn?.show(view, selection);
    if (drawn) showLegend(data, view);
    showCouncils(data, view);
    showDetails(data, view, selection);
    markRow(data, selection);
    void drawn?.map.once("idle").then(() => (container.dataset.ready = "true"));
    drawn?.map.triggerRepaint();
  };
  const choose = (chosen: Selection | null) => {
    selection = chosen;
    show();
  };
  const chooseAndGo = (chosen: Selection) => {
    choose(chosen);
    drawn?.goTo(chosen, view);
  };

  byId<HTMLSelectElement>("measure").addEventListener("change", (event) => {
    view.measure = (event.target as HTMLSelectElement).value as Measure;
    show();
  });
  byId<HTMLSelectElement>("group").addEventListener("change", (event) => {
    view.group = Number((event.target as HTMLSelectElement).value);
    show();
  });
  byId<HTMLInputElement>("year").addEventListener("input", (event) => {
    view.year = Number((event.target as HTMLInputElement).value);
    show();
  });
  for (const button of document.querySelectorAll<HTMLInputElement>("input[name=variant]")) {
    button.addEventListener("change", () => {
      view.variant = Number(button.value) as Variant;
      show();
    });
  }
  for (const box of document.querySelectorAll<HTMLInputElement>("#layers input")) {
    box.addEventListener("change", () => {
      view.layers[box.value as Layer] = box.checked;
      show();
    });
  }
  if (drawn) {
    Object.assign(window, { planMap: drawn.map });
    drawn.map.on("click", (event) => {
      if (!drawn.openCrowd(event.point)) choose(drawn.under(event.point));
    });
    drawn.map.on("mousemove", (event) => {
      drawn.map.getCanvas().style.cursor = drawn.under(event.point) ? "pointer" : "";
    });
  }
  makeSortable(byId<HTMLTableElement>("projects"));
  byId("projects").addEventListener("click", (event) => {
    const button = (event.target as HTMLElement).closest<HTMLButtonElement>("button[data-project]");
    if (!button) return;
    const index = data.about.projects.findIndex((project) => project.project_id === button.dataset.project);
    chooseAndGo({ kind: "project", index });
  });
  find(data, chooseAndGo);
  addEventListener("beforeprint", () => byId("key").closest("details")!.setAttribute("open", ""));
  show();
}

function explain(error: Error): void {
  const message = byId("map-message");
  const reason = error.name === "GPUInitializationError" ? "it does not offer WebGL" : String(error);
  message.textContent = `The map can't be drawn in this browser: ${reason}. The tables on this page hold the plan.`;
  message.hidden = false;
}

function fillControls(data: PlanData, view: View): void {
  byId("measure").append(...Object.entries(MEASURES).map(([value, { name }]) => element("option", { value }, name)));
  byId("group").append(...data.groups.map((code, i) => element("option", { value: String(i) }, data.about.groups[code])));
  const year = byId<HTMLInputElement>("year");
  year.max = String(data.about.years.length - 1);
  year.value = String(view.year);
  byId("controls").hidden = false;
}

/** Finding a setting, a project or an area by name: suggestions as one types, the choice on Enter. */
function find(data: PlanData, choose: (found: Selection) => void): void {
  const { sites, projects, zones, areas } = data.about;
  const named = (kind: Selection["kind"], names: string[]) => names.map((name, index) => ({ name, found: { kind, index } }));
  const all = [
    ...named("project", projects.map(({ name, number }) => `${number}. ${name}`)),
    ...named("site", sites.name).filter(({ found }) => !sites.is_new[found.index]),
    ...named("area", zones.slice(0, areas)),
  ];
  const box = byId<HTMLInputElement>("find");
  box.addEventListener("input", () => {
    const typed = box.value.toLowerCase();
    const matches = typed.length < 2 ? [] : all.filter(({ name }) => name.toLowerCase().includes(typed)).slice(0, MOST_SUGGESTIONS);
    byId("names").replaceChildren(...matches.map(({ name }) => element("option", { value: name })));
  });
  box.addEventListener("change", () => {
    const typed = box.value.toLowerCase();
    const hit = all.find(({ name }) => name.toLowerCase() === typed) ?? all.find(({ name }) => typed && name.toLowerCase().includes(typed));
    if (hit) choose(hit.found);
  });
}

function markRow(data: PlanData, selection: Selection | null): void {
  const chosen = selection?.kind === "project" ? data.about.projects[selection.index].project_id : null;
  for (const row of byId<HTMLTableElement>("projects").tBodies[0].rows) {
    if (row.dataset.project === chosen && chosen !== null) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
}
