// Controls, map, legend, details and figures by council, tied together: one view and one selection. The offline map and the planner's page share it.

import { type Measure, type PlanData, type Variant } from "./data";
import { element } from "./dom";
import { PlanMap } from "./map";
import { councilsTable, details, keyItems, legend } from "./panels";
import { type Layer, type Selection, startView, type View } from "./state";

const LABEL = "Map of areas, settings and projects. The tables on this page hold the same figures.";
const MOST_SUGGESTIONS = 30;
const LAYER_NAMES: Record<Layer, string> = { settings: "Settings, by places", projects: "Projects", candidates: "Other candidates", flows: "All flows of 5 pupils or more" };

/** Where the parts go on the page. */
export interface Slots {
  controls: HTMLElement;
  frame: HTMLElement;
  details: HTMLElement;
  councils: HTMLElement;
}

export interface Options {
  workerUrl: string;
  /** Names the map to those who can't see it. */
  label?: string;
  view?: Partial<View>;
  selection?: Selection | null;
  /** Tiles behind the map. */
  baseMap?: string;
  /** Called after every change of view or selection. */
  changed?: (view: View, selection: Selection | null) => void;
  /** What else to show about what is chosen. */
  more?: (selection: Selection) => HTMLElement[];
}

export class Explorer {
  readonly view: View;
  selection: Selection | null;
  /** None in a browser without WebGL: the tables still work. */
  map: PlanMap | null = null;
  private readonly canvas = element("div", { id: "map", class: "map" });
  private readonly message = element("p", { class: "map-message", id: "map-message", role: "alert", hidden: "" });
  private readonly legend = element("div", { id: "legend", class: "legend", "aria-live": "polite" });
  private readonly year = element("output", { for: "year", id: "year-name" });
  private readonly slider = element("input", { id: "year", type: "range", min: "0", step: "1" });

  private constructor(
    readonly data: PlanData,
    private readonly slots: Slots,
    private readonly options: Options,
  ) {
    this.view = { ...startView(data), ...options.view };
    this.selection = options.selection ?? null;
  }

  /** Resolves once the map stands. Sets `data-ready` on the map whenever it stands still; the map object is `window.planMap`. */
  static async create(data: PlanData, slots: Slots, options: Options): Promise<Explorer> {
    const made = new Explorer(data, slots, options);
    made.buildControls();
    made.buildFrame();
    try {
      made.map = await PlanMap.create(made.canvas, options.label ?? LABEL, options.workerUrl, data, options.baseMap);
      made.listenToMap(made.map);
    } catch (error) {
      made.explain(error as Error);
    }
    made.show();
    return made;
  }

  show(): void {
    const { data, view, selection, slots } = this;
    this.canvas.dataset.ready = "false";
    this.year.textContent = data.about.years[view.year];
    this.slider.setAttribute("aria-valuetext", data.about.years[view.year]);
    this.map?.show(view, selection);
    this.legend.replaceChildren(...(this.map ? legend(data, view) : []));
    slots.councils.replaceChildren(councilsTable(data, view));
    slots.details.replaceChildren(...details(data, view, selection), ...(selection ? (this.options.more?.(selection) ?? []) : []));
    void this.map?.map.once("idle").then(() => (this.canvas.dataset.ready = "true"));
    this.map?.map.triggerRepaint();
    this.options.changed?.(view, selection);
  }

  choose(chosen: Selection | null): void {
    this.selection = chosen;
    this.show();
  }

  chooseAndGo(chosen: Selection): void {
    this.choose(chosen);
    this.map?.goTo(chosen, this.view);
  }

  private listenToMap(drawn: PlanMap): void {
    Object.assign(window, { planMap: drawn.map });
    drawn.map.on("click", (event) => {
      if (!drawn.openCrowd(event.point)) this.choose(drawn.under(event.point));
    });
    drawn.map.on("mousemove", (event) => {
      if (drawn.map.isMoving()) return; // what lies under the pointer is worked out anew each time: a dragged map would falter
      drawn.map.getCanvas().style.cursor = drawn.under(event.point) ? "pointer" : "";
    });
  }

  private explain(error: Error): void {
    const reason = error.name === "GPUInitializationError" ? "it does not offer WebGL" : String(error);
    this.message.textContent = `The map can't be drawn in this browser: ${reason}. The tables on this page hold the plan.`;
    this.message.hidden = false;
    this.canvas.hidden = true;
  }

  private buildFrame(): void {
    const north = element("div", { class: "north", role: "img", "aria-label": "North is up" }, element("span", { "aria-hidden": "true" }, "N", element("br"), "\u2191"));
    const key = element("details", { class: "key" }, element("summary", {}, "Key to symbols"), element("ul", { id: "key" }, ...keyItems(this.data)));
    addEventListener("beforeprint", () => key.setAttribute("open", ""));
    this.slots.frame.replaceChildren(element("div", { class: "canvas" }, this.canvas, this.message, north), this.legend, key);
  }

  private buildControls(): void {
    const { data, view } = this;
    const measure = choice("measure", "Shade areas by", Object.entries(data.measures).map(([value, { name }]) => [value, name]), view.measure, (value) => (view.measure = value as Measure));
    const group = choice("group", "Need", data.groups.map((code, i) => [String(i), data.about.groups[code]]), String(view.group), (value) => (view.group = Number(value)));
    const variants = data.about.variants.map((name, i) => {
      const button = element("input", { type: "radio", name: "variant", value: String(i), ...(view.variant === i ? { checked: "" } : {}) });
      button.addEventListener("change", () => (view.variant = i as Variant));
      return element("label", {}, button, ` ${name}`);
    });
    this.slider.max = String(data.about.years.length - 1);
    this.slider.value = String(view.year);
    this.slider.addEventListener("input", () => (view.year = Number(this.slider.value)));
    const layers = (Object.keys(view.layers) as Layer[]).filter((layer) => this.has(layer)).map((layer) => {
      const box = element("input", { type: "checkbox", value: layer, ...(view.layers[layer] ? { checked: "" } : {}) });
      box.addEventListener("change", () => (view.layers[layer] = box.checked));
      return element("label", {}, box, ` ${layer === "candidates" && !data.about.projects.length ? "Candidate projects" : LAYER_NAMES[layer]}`);
    });
    const { controls } = this.slots;
    controls.replaceChildren(
      measure,
      group,
      ...(variants.length > 1 ? [element("fieldset", {}, element("legend", {}, "When"), ...variants)] : []),
      ...(data.about.years.length > 1 ? [element("label", { class: "slider" }, "Academic year ", this.year, this.slider)] : []),
      this.finder(),
      element("fieldset", { id: "layers" }, element("legend", {}, "Also draw"), ...layers),
    );
    for (const event of ["change", "input"]) {
      controls.addEventListener(event, ({ target }) => {
        const { id, type } = target as HTMLInputElement;
        if (id !== "find" && (event === "change") === (type !== "range")) this.show();
      });
    }
    controls.hidden = false;
  }

  private has(layer: Layer): boolean {
    return layer === "candidates" ? this.data.candidates.length > 0 : layer === "projects" ? this.data.about.projects.length > 0 : true;
  }

  /** Finding a setting, a project or an area by name: suggestions as one types, the choice on Enter. */
  private finder(): HTMLElement {
    const { sites, projects, zones, areas } = this.data.about;
    const named = (kind: Selection["kind"], names: string[]) => names.map((name, index) => ({ name, found: { kind, index } }));
    const all = [
      ...named("project", projects.map(({ name, number }) => `${number}. ${name}`)),
      ...named("candidate", this.data.candidates.map(({ name }) => name)),
      ...named("site", sites.name).filter(({ found }) => !sites.is_new[found.index]),
      ...named("area", zones.slice(0, areas)),
    ];
    const names = element("datalist", { id: "names" });
    const box = element("input", { id: "find", list: "names", type: "search", autocomplete: "off", placeholder: "setting, project or area" });
    box.addEventListener("input", () => {
      const typed = box.value.toLowerCase();
      const matches = typed.length < 2 ? [] : all.filter(({ name }) => name.toLowerCase().includes(typed)).slice(0, MOST_SUGGESTIONS);
      names.replaceChildren(...matches.map(({ name }) => element("option", { value: name })));
    });
    box.addEventListener("change", () => {
      const typed = box.value.toLowerCase();
      const hit = all.find(({ name }) => name.toLowerCase() === typed) ?? all.find(({ name }) => typed && name.toLowerCase().includes(typed));
      if (hit) this.chooseAndGo(hit.found);
    });
    return element("label", {}, "Find by name ", box, names);
  }
}

function choice(id: string, name: string, options: [value: string, text: string][], chosen: string, set: (value: string) => void): HTMLElement {
  const box = element("select", { id }, ...options.map(([value, text]) => element("option", value === chosen ? { value, selected: "" } : { value }, text)));
  box.addEventListener("change", () => set(box.value));
  return element("label", {}, `${name} `, box);
}
