// Everything beside the map: legend, key, details of what is chosen, figures by council.

import { breaks, classLabels, decimals, describe, shade } from "./classes";
import { type Candidate, type Measure, type PlanData, type Project, type Variant } from "./data";
import { element, table } from "./dom";
import { MOST_SITES } from "./map";
import type { Selection, View } from "./state";
import { candidateSymbol, crowdSymbol, hatching, picture, projectSymbol, settingSymbol, SYMBOLS } from "./symbols";

const variantsOf = (data: PlanData) => data.about.variants.map((_, i) => i as Variant);

export function legend(data: PlanData, { measure, group, variant, year, layers }: View): HTMLElement[] {
  const bounds = breaks(data, measure, group);
  const rows = classLabels(bounds, measure).map((label, i) =>
    element("li", {}, element("span", { class: "swatch", style: `background:${shade(i, bounds)}` }), label),
  );
  const unknown = element("span", { class: "swatch", style: `background-image:url(${picture(hatching(), "").src})` });
  const of = [data.about.groups[data.groups[group]], data.about.years[year], data.about.variants[variant].toLowerCase()];
  const lines = layers.flows ? data.flows(variant, year, "all").length : null;
  const drawn = lines ? `${lines.toLocaleString("en-GB")} flows from an area to a setting are drawn.` : "No area sends 5 pupils or more to one setting, so no flows are drawn.";
  return [
    element("p", {}, element("strong", {}, data.measures[measure]!.name), ` ${of.join(", ")}; ${data.measures[measure]!.unit}`),
    element("ul", {}, ...rows, element("li", {}, unknown, "no figure")),
    ...(lines === null ? [] : [element("p", { class: "note" }, drawn)]),
  ];
}

export function keyItems(data: PlanData): HTMLElement[] {
  const rows = Object.entries(data.about.kinds).map(([kind, name]) => element("li", {}, picture(settingSymbol(SYMBOLS[kind]), SYMBOLS[kind].letter), name));
  const pins = [
    element("li", {}, picture(projectSymbol(true, "1"), "Dark pin"), "Project, open in the year shown"),
    element("li", {}, picture(projectSymbol(false, "1"), "White pin"), "Project, not open yet"),
    element("li", {}, picture(crowdSymbol("4"), "Round pin"), "Four projects close together: choose it to zoom in"),
  ];
  return [
    ...rows,
    ...(data.about.projects.length ? pins : []),
    ...(data.candidates.length ? [element("li", {}, picture(candidateSymbol(), "Square with a plus"), "Candidate that is not in the plan")] : []),
    element("li", {}, "The more places for the need chosen, the larger the symbol of a setting."),
    ...(data.about.sites.name.length > MOST_SITES ? [element("li", {}, "Zoom in to see settings.")] : []),
  ];
}

/** Every measure by council, and the places that stand there, for the need and year chosen, in each variant. */
export function councilsTable(data: PlanData, { group, year }: View): HTMLTableElement {
  const { areas, variants, zones } = data.about;
  const councils = zones.slice(areas).map((name, i) => ({ name, zone: areas + i }));
  const when = (label: string, variant: Variant) => (variants.length > 1 ? `${label}, ${variants[variant].toLowerCase()}` : label);
  const column = (heading: string, measure: Measure, values: (number | null)[]) => {
    const digits = decimals(Math.max(...values.map((value) => value ?? 0)));
    return { heading, cells: values.map((value) => describe(value, measure, digits)) };
  };
  const each = <T>(make: (variant: Variant) => T): T[] => variantsOf(data).map(make);
  const columns = [
    ...(Object.keys(data.measures) as Measure[]).flatMap((measure) =>
      each((variant) => column(when(data.measures[measure]!.label, variant), measure, councils.map(({ zone }) => data.value(measure, variant, group, year, zone)))),
    ),
    ...each((variant) => column(when("Places there", variant), "need", data.placesOfCouncils(variant, group, year))),
  ];
  const rows = councils.map(({ name }, i) => [name, ...columns.map(({ cells }) => cells[i])]);
  return table(`${data.about.groups[data.groups[group]]}, ${data.about.years[year]}`, ["Council", ...columns.map(({ heading }) => heading)], rows);
}

/** What is chosen, in words and figures. */
export function details(data: PlanData, view: View, selection: Selection | null): HTMLElement[] {
  if (selection === null) return [element("p", {}, "Choose a project, a setting or an area on the map, in the table or by name.")];
  return PARTS[selection.kind](data, view, selection.index);
}

const PARTS = { area: areaDetails, site: siteDetails, project: projectDetails, candidate: candidateDetails };

function areaDetails(data: PlanData, { group, year }: View, area: number): HTMLElement[] {
  const measures = Object.keys(data.measures) as Measure[];
  const rows = measures.map((measure) => [data.measures[measure]!.name, ...variantsOf(data).map((variant) => describe(data.value(measure, variant, group, year, area), measure))]);
  return [
    element("h3", {}, data.about.zones[area]),
    element("p", {}, data.councilOf(area)),
    table(`${data.about.groups[data.groups[group]]}, ${data.about.years[year]}`, ["Figure", ...data.about.variants], rows),
    element("p", { class: "note" }, data.about.modelled),
  ];
}

function siteDetails(data: PlanData, view: View, site: number): HTMLElement[] {
  const { sites, kinds } = data.about;
  return [element("h3", {}, sites.name[site]), element("p", {}, `${kinds[sites.kind[site]]}, ${sites.council[site]}`), ...siteFigures(data, view, site)];
}

function projectDetails(data: PlanData, view: View, index: number): HTMLElement[] {
  const project = data.about.projects[index];
  const facts: [string, string][] = [
    ["What", project.kind],
    ["Where", `${project.where}, ${project.council}`],
    ["For whom", `${project.for_whom}; ${project.phases}`],
    ["Opens", project.stages.includes(";") ? `in stages: ${project.stages} places` : project.opens],
    ["Places", describe(project.places, "need").replace(/\.0$/, "")],
    ["Capital", gbp(project)],
    ["Decision", project.decision === "committed" ? "already committed" : "chosen by this plan"],
  ];
  return [
    element("h3", {}, `${project.number}. ${project.name}`),
    factList(facts),
    ...siteFigures(data, view, project.site),
  ];
}

function candidateDetails(data: PlanData, _: View, index: number): HTMLElement[] {
  const candidate = data.candidates[index];
  const facts: [string, string][] = [
    ["What", candidate.kind],
    ["Where", `${candidate.where}, ${candidate.council}`],
    ["For whom", `${candidate.for_whom}; ${candidate.phases}`],
    ["Places", placesRange(candidate)],
    ["First start", `financial year ${candidate.earliest_start}`],
    ["In the plan", "no"],
  ];
  return [element("h3", {}, candidate.name), factList(facts)];
}

export function placesRange({ min_places, max_places }: Candidate): string {
  return min_places === max_places ? `${max_places}` : `${min_places} to ${max_places}`;
}

const factList = (facts: [string, string][]) => element("dl", {}, ...facts.flatMap(([name, fact]) => [element("dt", {}, name), element("dd", {}, fact)]));

function siteFigures(data: PlanData, view: View, site: number): HTMLElement[] {
  const whole = (value: number | null) => describe(value, "need").replace(/\.0$/, "");
  const use = (variant: Variant, year: number) => [whole(data.sitePlaces(variant, 0, year, site)), whole(data.sitePupils(variant, year, site))];
  const rows = data.about.years.map((name, year) => [name, ...variantsOf(data).flatMap((variant) => use(variant, year))]);
  const when = data.about.variants.length > 1 ? data.about.variants.map((name) => `, ${name.toLowerCase()}`) : [""];
  const headings = ["Year", ...when.flatMap((text) => [`Places${text}`, `Pupils${text}`])];
  const flows = data.flows(view.variant, view.year, site);
  const drawn = flows.reduce((sum, flow) => sum + flow.pupils, 0);
  const all = data.sitePupils(view.variant, view.year, site) ?? 0;
  const text = flows.length
    ? `Lines: ${flows.length === 1 ? "one area that sends" : `${flows.length} areas that send`} 5 pupils or more, ${describe(drawn, "need")} of ${describe(all, "need")} pupils in ${data.about.years[view.year]}.`
    : `No single area sends 5 pupils or more in ${data.about.years[view.year]}, so no lines are drawn.`;
  return [
    ...placesByNeed(data, view, site),
    table("Places and pupils of the whole setting", headings, rows),
    element("p", { class: "note" }, text),
  ];
}

/** Places open to each need in the year shown; a place open to several needs counts for each. */
function placesByNeed(data: PlanData, { year }: View, site: number): HTMLElement[] {
  const of = (group: number) => variantsOf(data).map((variant) => data.sitePlaces(variant, group, year, site));
  const rows = data.groups.slice(1).map((code, i) => ({ name: data.about.groups[code], places: of(i + 1) })).filter(({ places }) => places.some((count) => count !== 0));
  if (!rows.length) return [];
  return [table(`Places open to each need, ${data.about.years[year]}`, ["Need", ...data.about.variants], rows.map(({ name, places }) => [name, ...places.map((count) => describe(count, "need", 0))]))];
}

function gbp(project: Project): string {
  return `£${(project.capital_gbp / 1e6).toLocaleString("en-GB", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}m`;
}
