// Parts of the page after the GOV.UK Design System's patterns. Text is always set as text, never as markup.

import { element, table as plainTable } from "../../map/src/dom";
import { type Fault, ServiceError } from "./service";

export { element } from "../../map/src/dom";

export type Child = Node | string;

export const heading = (level: 1 | 2 | 3, text: string, attributes: Record<string, string> = {}): HTMLElement =>
  element(`h${level}`, { class: ["govuk-heading-l", "govuk-heading-m", "govuk-heading-s"][level - 1], ...attributes }, text);

export const paragraph = (...content: Child[]): HTMLElement => element("p", { class: "govuk-body" }, ...content);

export const hint = (text: string, id?: string): HTMLElement => element("div", { class: "govuk-hint", ...(id ? { id } : {}) }, text);

export const link = (href: string, text: string): HTMLAnchorElement => element("a", { class: "govuk-link", href }, text);

export const bullets = (items: Child[]): HTMLElement => element("ul", { class: "govuk-list govuk-list--bullet" }, ...items.map((item) => element("li", {}, item)));

export const tag = (text: string, colour: string): HTMLElement => element("strong", { class: `govuk-tag govuk-tag--${colour}` }, text);

/** Says so where nothing of a case is real. */
export const invented = ({ programme }: { programme: string }): HTMLElement[] => (programme === "fictional" ? [paragraph(tag("Fictional data", "yellow"), " Every figure of this region is invented.")] : []);

export function button(text: string, press: () => void | Promise<void>, kind: "" | "secondary" | "warning" = ""): HTMLButtonElement {
  const made = element("button", { type: "button", class: `govuk-button${kind && ` govuk-button--${kind}`}` }, text);
  made.addEventListener("click", () => void whileBusy(made, press));
  return made;
}

/** Runs what a button does; a second press waits until it is done, and a failure is shown at the top of the page. */
async function whileBusy(pressed: HTMLButtonElement, work: () => void | Promise<void>): Promise<void> {
  if (pressed.getAttribute("aria-disabled") === "true") return;
  pressed.setAttribute("aria-disabled", "true");
  try {
    await work();
  } catch (error) {
    showError(error);
  } finally {
    pressed.removeAttribute("aria-disabled");
  }
}

/** A table with a caption that scrolls sideways where there is no room. Cells after the first are figures unless their column is in `texts`. */
export function table(caption: string, headings: string[], rows: Child[][], texts: number[] = []): HTMLElement {
  const made = plainTable(caption, headings, rows);
  for (const row of made.rows) for (const column of texts) row.cells[column]?.classList.remove("number");
  return scroll(caption, made);
}

export const scroll = (name: string, content: HTMLElement): HTMLElement => element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": name }, content);

export const summaryList = (entries: [name: string, value: Child][]): HTMLElement =>
  element(
    "dl",
    { class: "govuk-summary-list" },
    ...entries.map(([name, value]) =>
      element("div", { class: "govuk-summary-list__row" }, element("dt", { class: "govuk-summary-list__key" }, name), element("dd", { class: "govuk-summary-list__value" }, value)),
    ),
  );

export interface Tile {
  name: string;
  figure: string;
  note: string;
}

export const tiles = (all: Tile[]): HTMLElement =>
  element("dl", { class: "headline" }, ...all.map(({ name, figure, note }) => element("div", {}, element("dt", {}, name), element("dd", {}, figure), element("dd", { class: "note" }, note))));

/** A labelled field: input or select. */
export function field(label: string, input: HTMLInputElement | HTMLSelectElement, note = ""): HTMLElement {
  const parts: HTMLElement[] = [element("label", { class: "govuk-label", for: input.id }, label)];
  if (note) {
    parts.push(hint(note, `${input.id}-hint`));
    input.setAttribute("aria-describedby", `${input.id}-hint`);
  }
  return element("div", { class: "govuk-form-group" }, ...parts, input);
}

export function select(id: string, options: [value: string, text: string][], chosen: string, change?: (value: string) => void): HTMLSelectElement {
  const made = element("select", { id, class: "govuk-select" }, ...options.map(([value, text]) => element("option", value === chosen ? { value, selected: "" } : { value }, text)));
  if (change) made.addEventListener("change", () => change(made.value));
  return made;
}

export function numberInput(id: string, value: string, change?: (value: string, input: HTMLInputElement) => void): HTMLInputElement {
  const made = element("input", { id, class: "govuk-input govuk-input--width-10", type: "text", inputmode: "decimal", value, autocomplete: "off" });
  if (change) made.addEventListener("change", () => change(made.value, made));
  return made;
}

/** Runs `set` with what was typed; what is wrong with it is said at the field. */
export function guarded(set: (value: string) => void): (value: string, input: HTMLInputElement) => void {
  return (value, input) => {
    const id = `${input.id}-error`;
    document.getElementById(id)?.remove();
    input.removeAttribute("aria-errormessage");
    input.removeAttribute("aria-invalid");
    input.classList.remove("govuk-input--error");
    try {
      set(value);
    } catch (error) {
      input.before(element("p", { class: "govuk-error-message", id, role: "alert" }, (error as Error).message));
      input.setAttribute("aria-errormessage", id);
      input.setAttribute("aria-invalid", "true");
      input.classList.add("govuk-input--error");
    }
  };
}

export function radios(name: string, legend: string, options: [value: string, text: string][], chosen: string, change: (value: string) => void, small = false): HTMLElement {
  const items = options.map(([value, text], i) => {
    const input = element("input", { class: "govuk-radios__input", id: `${name}-${i}`, name, type: "radio", value, ...(value === chosen ? { checked: "" } : {}) });
    input.addEventListener("change", () => change(value));
    return element("div", { class: "govuk-radios__item" }, input, element("label", { class: "govuk-label govuk-radios__label", for: `${name}-${i}` }, text));
  });
  return element(
    "div",
    { class: "govuk-form-group" },
    element(
      "fieldset",
      { class: "govuk-fieldset" },
      element("legend", { class: "govuk-fieldset__legend govuk-fieldset__legend--s" }, legend),
      element("div", { class: `govuk-radios${small ? " govuk-radios--small" : ""}` }, ...items),
    ),
  );
}

/** Boxes that are all ticked at first. */
export function checkboxes(name: string, legend: string, note: string, options: [value: string, text: string][], change: (value: string, ticked: boolean) => void): HTMLElement {
  const items = options.map(([value, text], i) => {
    const input = element("input", { class: "govuk-checkboxes__input", id: `${name}-${i}`, name, type: "checkbox", value, checked: "" });
    input.addEventListener("change", () => change(value, input.checked));
    return element("div", { class: "govuk-checkboxes__item" }, input, element("label", { class: "govuk-label govuk-checkboxes__label", for: `${name}-${i}` }, text));
  });
  return element(
    "div",
    { class: "govuk-form-group in-a-row" },
    element(
      "fieldset",
      { class: "govuk-fieldset", "aria-describedby": `${name}-hint` },
      element("legend", { class: "govuk-fieldset__legend govuk-fieldset__legend--s" }, legend),
      hint(note, `${name}-hint`),
      element("div", { class: "govuk-checkboxes govuk-checkboxes--small" }, ...items),
    ),
  );
}

export function expander(name: string, ...content: Child[]): HTMLElement {
  return element("details", { class: "govuk-details" }, element("summary", { class: "govuk-details__summary" }, element("span", { class: "govuk-details__summary-text" }, name)), element("div", { class: "govuk-details__text" }, ...content));
}

/** Sections of which one shows at a time, each made when it is first shown; all show in print. Arrow keys move between them. */
export function tabs(name: string, sections: { id: string; title: string; content: () => HTMLElement }[], chosen: string, change: (id: string) => void): HTMLElement {
  const heads = sections.map(({ id, title }) => element("button", { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": `panel-${id}` }, title));
  const panels = sections.map(({ id }) => element("div", { role: "tabpanel", id: `panel-${id}`, "aria-labelledby": `tab-${id}`, tabindex: "0" }));
  const make = (at: number) => panels[at].childElementCount || panels[at].append(sections[at].content());
  addEventListener("beforeprint", () => panels.forEach((_, at) => make(at)));
  const open = (at: number) => {
    make(at);
    heads.forEach((head, i) => {
      head.setAttribute("aria-selected", String(i === at));
      head.tabIndex = i === at ? 0 : -1;
      panels[i].classList.toggle("closed", i !== at);
    });
    change(sections[at].id);
  };
  heads.forEach((head, i) => {
    head.addEventListener("click", () => open(i));
    head.addEventListener("keydown", ({ key }) => {
      const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: heads.length - 1 }[key];
      if (to === undefined) return;
      const next = (to + heads.length) % heads.length;
      open(next);
      heads[next].focus();
    });
  });
  open(Math.max(0, sections.findIndex(({ id }) => id === chosen)));
  return element("div", { class: "desk-tabs" }, element("div", { role: "tablist", "aria-label": name }, ...heads), ...panels);
}

/** Puts a page together: title, trail, content. Focus stays where the browser puts it on loading. */
export function show(title: string, trail: [href: string, text: string][], ...content: Child[]): void {
  document.title = `${title} - Place sufficiency`;
  const steps = [["./", "Cases"] as [string, string], ...trail].map(([href, text]) => element("li", { class: "govuk-breadcrumbs__list-item" }, element("a", { class: "govuk-breadcrumbs__link", href }, text)));
  document.getElementById("trail")!.replaceChildren(...steps);
  document.getElementById("main")!.replaceChildren(...content);
}

/** The error summary: what is wrong, with every fault and its remedy, or a link to the field that is wrong; it takes the focus. */
export function showError(error: unknown, wrong?: HTMLElement): void {
  const faults = error instanceof ServiceError ? error.faults : [];
  const where = ({ file, row, column, value }: Fault) => [file, row === null ? "" : `row ${row}`, column ?? "", value === null ? "" : `"${value}"`].filter(Boolean).join(", ");
  const list = faults.map((fault) => element("li", {}, `${where(fault)}: ${fault.message}. ${fault.remedy}`));
  const message = error instanceof Error ? error.message : String(error);
  const toField = link(`#${wrong?.id}`, message);
  toField.addEventListener("click", (event) => {
    event.preventDefault();
    wrong?.focus();
  });
  const made = element(
    "div",
    { class: "govuk-error-summary", id: "error", tabindex: "-1" },
    element("div", { role: "alert" }, heading(2, "There is a problem"), paragraph(wrong ? toField : message), element("ul", { class: "govuk-list govuk-error-summary__list" }, ...list)),
  );
  document.getElementById("error")?.remove();
  document.getElementById("main")!.prepend(made);
  made.focus();
}
