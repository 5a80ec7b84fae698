// Projects in the plan and candidates that are not, each with what is decided about it for the next plan.

import type { Candidate, Project } from "../../map/src/data";
import { placesRange } from "../../map/src/panels";
import type { PlanPage } from "./pages/plan";
import type { Decision } from "./resources";
import { button, element, field, heading, hint, paragraph, scroll, select } from "./ui";
import { count, DECISIONS, pounds } from "./words";

/** Rows that are drawn at once: more make a page slow to open. */
const MOST_SHOWN = 60;

export interface Panel {
  element: HTMLElement;
  /** Shows the draft as it is now. */
  refresh: () => void;
}

/** A column of a list: its heading, and what to sort by where it can be sorted. */
interface Column<T> {
  name: string;
  by?: (one: T) => string | number;
}

export function projectsPanel(page: PlanPage): Panel {
  const { data } = page;
  const choices = new Map<string, HTMLSelectElement>();
  const decide = (projectId: string, name: string) => {
    const made = select(`decide-${projectId}`, Object.entries(DECISIONS), page.decision(projectId), (value) => page.decide(projectId, value as Decision));
    made.setAttribute("aria-label", `In the next plan: ${name}`);
    made.classList.add("small");
    choices.set(projectId, made);
    return element("td", {}, made);
  };
  const named = ({ project_id, name, kind, where, council, for_whom, phases }: Project | Candidate) => {
    const press = element("button", { type: "button", "data-project": project_id }, name);
    press.addEventListener("click", () => page.choose(project_id));
    return element("th", { scope: "row" }, press, element("small", {}, `${kind}. ${where}, ${council}. For: ${for_whom}; ${phases}.`));
  };
  const figure = (text: string) => element("td", { class: "number" }, text);
  const built = longList(
    "Projects to build",
    data.about.projects,
    [{ name: "No.", by: ({ number }) => number }, { name: "Project", by: ({ name }) => name }, { name: "Opens", by: ({ opens }) => opens }, { name: "Places", by: ({ places }) => places }, { name: "Capital", by: ({ capital_gbp }) => capital_gbp }, { name: "Next plan" }],
    (one) => element("tr", {}, figure(String(one.number)), named(one), element("td", {}, one.opens), figure(one.places.toFixed(0)), figure(pounds(one.capital_gbp)), decide(one.project_id, one.name)),
  );
  const rest = longList("Candidates that are not in this plan", data.candidates, [{ name: "Candidate" }, { name: "Places" }, { name: "Next plan" }], (one) => element("tr", {}, named(one), figure(placesRange(one)), decide(one.project_id, one.name)));
  const undo = button("Undo all decisions drafted here", () => {
    page.draft.pins = {};
    page.changed();
  }, "secondary");
  return {
    element: element(
      "div",
      {},
      heading(3, "Projects to build"),
      hint("Set a project to must be built or must not be built, then plan again. Choose its name to see it on the map."),
      ...(data.about.projects.length ? built : [paragraph("Nothing is to be built.")]),
      heading(3, "Candidates that are not in this plan"),
      ...(data.candidates.length ? rest : [paragraph("Every candidate is in the plan.")]),
      undo,
    ),
    refresh: () => choices.forEach((made, projectId) => (made.value = page.decision(projectId))),
  };
}

/** A table of projects: sorted by the columns that can be, narrowed down by what is typed, long ones cut short on the screen but not in print. */
function longList<T extends Project | Candidate>(caption: string, all: T[], columns: Column<T>[], row: (one: T) => HTMLTableRowElement): HTMLElement[] {
  const made = new Map<T, HTMLTableRowElement>();
  const body = element("tbody");
  const found = element("p", { class: "note", role: "status" });
  const search = element("input", { id: `search-${caption.split(" ")[0].toLowerCase()}`, class: "govuk-input", type: "search", autocomplete: "off" });
  let sorted = [...all];
  const draw = (most: number) => {
    const typed = search.value.toLowerCase();
    const fits = sorted.filter(({ name, council, kind }) => `${name} ${council} ${kind}`.toLowerCase().includes(typed));
    found.textContent = fits.length > most ? `The first ${most} of ${fits.length.toLocaleString("en-GB")}.` : typed ? `${fits.length.toLocaleString("en-GB")} found.` : "";
    const rowOf = (one: T) => made.get(one) ?? made.set(one, row(one)).get(one)!;
    body.replaceChildren(...fits.slice(0, most).map(rowOf));
  };
  const heads = columns.map(({ name, by }) => {
    if (!by) return element("th", { scope: "col" }, name);
    const press = element("button", { type: "button" }, name);
    const head = element("th", { scope: "col" }, press);
    press.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const order = (a: T, b: T) => String(by(a)).localeCompare(String(by(b)), "en-GB", { numeric: true });
      sorted = [...all].sort((a, b) => (down ? order(b, a) : order(a, b)));
      draw(MOST_SHOWN);
    });
    return head;
  });
  search.addEventListener("input", () => draw(MOST_SHOWN));
  addEventListener("beforeprint", () => draw(Infinity));
  addEventListener("afterprint", () => draw(MOST_SHOWN));
  draw(MOST_SHOWN);
  const list = element("table", {}, element("caption", {}, count(all.length, caption === "Projects to build" ? "project" : "candidate")), element("thead", {}, element("tr", {}, ...heads)), body);
  return [...(all.length > MOST_SHOWN ? [field("Narrow down by name, kind or council", search), found] : []), scroll(caption, list)];
}
