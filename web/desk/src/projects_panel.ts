// Projects in the plan and candidates that are not, each with what is decided about it for the next plan.

import { placesRange } from "../../map/src/panels";
import type { PlanPage } from "./pages/plan";
import type { Decision } from "./resources";
import { button, element, field, heading, hint, paragraph, scroll, select } from "./ui";
import { count, DECISIONS, pounds } from "./words";

const MOST_SHOWN = 60;

export interface Panel {
  element: HTMLElement;
  /** Shows the draft as it is now. */
  refresh: () => void;
}

export function projectsPanel(page: PlanPage): Panel {
  const { data } = page;
  const choices = new Map<string, HTMLSelectElement>();
  const decide = (projectId: string, name: string) => {
    const made = select(`decide-${projectId}`, Object.entries(DECISIONS), page.decision(projectId), (value) => page.decide(projectId, value as Decision));
    made.setAttribute("aria-label", `In the next plan: ${name}`);
    made.classList.add("small");
    choices.set(projectId, made);
    return made;
  };
  const named = (projectId: string, name: string, about: string) => {
    const press = element("button", { type: "button", "data-project": projectId }, name);
    press.addEventListener("click", () => page.choose(projectId));
    return element("th", { scope: "row", "data-value": name }, press, element("small", {}, about));
  };
  const chosen = data.about.projects.map((project) =>
    element(
      "tr",
      {},
      element("td", { class: "number" }, String(project.number)),
      named(project.project_id, project.name, `${project.kind}. ${project.where}, ${project.council}. For: ${project.for_whom}; ${project.phases}.`),
      element("td", {}, project.opens),
      element("td", { class: "number" }, project.places.toFixed(0)),
      element("td", { class: "number", "data-value": String(project.capital_gbp) }, pounds(project.capital_gbp)),
      element("td", {}, decide(project.project_id, project.name)),
    ),
  );
  const heads = (names: string[], sortable: boolean) => element("thead", {}, element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, ...(sortable && name !== "Next plan" ? [element("button", { type: "button" }, name)] : [name])))));
  const built = element("table", { class: "sortable", id: "built" }, element("caption", {}, count(chosen.length, "project")), heads(["No.", "Project", "Opens", "Places", "Capital", "Next plan"], true), element("tbody", {}, ...chosen));

  const rest = element("tbody");
  const found = element("p", { class: "note", role: "status" });
  const search = element("input", { id: "search", class: "govuk-input", type: "search", autocomplete: "off" });
  const showRest = () => {
    const typed = search.value.toLowerCase();
    const fits = data.candidates.filter(({ name, council, kind }) => `${name} ${council} ${kind}`.toLowerCase().includes(typed));
    found.textContent = fits.length > MOST_SHOWN ? `The first ${MOST_SHOWN} of ${count(fits.length, "candidate")}. Type a name, kind or council to narrow them down.` : count(fits.length, "candidate");
    rest.replaceChildren(
      ...fits.slice(0, MOST_SHOWN).map((one) =>
        element(
          "tr",
          {},
          named(one.project_id, one.name, `${one.kind}. ${one.where}, ${one.council}. For: ${one.for_whom}; ${one.phases}.`),
          element("td", { class: "number" }, placesRange(one)),
          element("td", {}, decide(one.project_id, one.name)),
        ),
      ),
    );
  };
  search.addEventListener("input", showRest);
  showRest();
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
      chosen.length ? scroll("Projects to build", built) : paragraph("Nothing is to be built."),
      heading(3, "Candidates that are not in this plan"),
      ...(data.candidates.length ? [field("Narrow down", search), found, scroll("Candidates that are not in this plan", element("table", {}, element("caption", {}, "Candidates"), heads(["Candidate", "Places", "Next plan"], false), rest))] : [paragraph("Every candidate is in the plan.")]),
      undo,
    ),
    refresh: () => choices.forEach((made, projectId) => (made.value = page.decision(projectId))),
  };
}
