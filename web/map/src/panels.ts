// Everything beside the map: legend, key, details of what is chosen, figures by council.

import { breaks, classLabels, describe, shade } from "./classes";
import { type Measure, MEASURES, type PlanData, type Project } from "./data";
import { byId, element, table } from "./dom";
import { MOST_SITES } from "./map";
import type { Selection, View } from "./state";
import { crowdSymbol, hatching, picture, projectSymbol, settingSymbol, SYMBOLS } from "./symbols";

const BEFORE_AFTER = ["Before", "With the plan"];

export function showLegend(data: PlanData, { measure, group, variant, year }: View): void {
  const bounds = breaks(data, measure, group);
  const rows = classLabels(bounds, measure).map((label, i) =>
    element("li", {}, element("span", { class: "swatch", style: `background:${shade(i, bounds)}` }), label),
  );
  const unknown = element("span", { class: "swatch", style: `background-image:url(${picture(hatching(), "").src})` });
  byId("legend").replaceChildren(
    element("p", {}, element("strong", {}, MEASURES[measure].name), ` ${data.about.groups[data.groups[group]]}, ${data.about.years[year]}, ${BEFORE_AFTER[variant].toLowerCase()}; ${MEASURES[measure].unit}`),
    element("ul", {}, ...rows, element("li", {}, unknown, "no figure")),
  );
}

export function showKey(data: PlanData): void {
  const rows = Object.entries(data.about.kinds).map(([kind, name]) => element("li", {}, picture(settingSymbol(SYMBOLS[kind]), SYMBOLS[kind].letter), name));
  byId("key").replaceChildren(
    ...rows,
    element("li", {}, picture(projectSymbol(true, "1"), "Dark pin"), "Project, open in the year shown"),
    element("li", {}, picture(projectSymbol(false, "1"), "White pin"), "Project, not open yet"),
    element("li", {}, picture(crowdSymbol("4"), "Round pin"), "Four projects close together: choose it to zoom in"),
    element("li", {}, "The more places for the need chosen, the larger the symbol of a setting."),
    ...(data.about.sites.name.length > MOST_SITES ? [element("li", {}, "Zoom in to see settings.")] : []),
  );
}

export function showCouncils(data: PlanData, { group, year }: View): void {
  const measures = Object.keys(MEASURES) as Measure[];
  const headings = ["Council", ...measures.flatMap((measure) => BEFORE_AFTER.map((when) => `${MEASURES[measure].label}, ${when.toLowerCase()}`))];
  const zones = data.about.zones.slice(data.about.areas).map((name, i) => ({ name, zone: data.about.areas + i }));
  const rows = zones.map(({ name, zone }) => [
    name,
    ...measures.flatMap((measure) => ([0, 1] as const).map((variant) => describe(data.value(measure, variant, group, year, zone), measure))),
  ]);
  byId("councils").replaceChildren(table(`${data.about.groups[data.groups[group]]}, ${data.about.years[year]}`, headings, rows));
}

export function showDetails(data: PlanData, view: View, selection: Selection | null): void {
  const parts = selection === null ? [element("p", {}, "Choose a project, a setting or an area on the map, in the table or by name.")] : PARTS[selection.kind](data, view, selection.index);
  byId("details").replaceChildren(...parts);
}

const PARTS = { area: areaDetails, site: siteDetails, project: projectDetails };

function areaDetails(data: PlanData, { group, year }: View, area: number): HTMLElement[] {
  const measures = Object.keys(MEASURES) as Measure[];
  const rows = measures.map((measure) => [MEASURES[measure].name, ...([0, 1] as const).map((variant) => describe(data.value(measure, variant, group, year, area), measure))]);
  return [
    element("h3", {}, data.about.zones[area]),
    element("p", {}, data.councilOf(area)),
    table(`${data.about.groups[data.groups[group]]}, ${data.about.years[year]}`, ["Figure", ...BEFORE_AFTER], rows),
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
    element("dl", {}, ...facts.flatMap(([name, fact]) => [element("dt", {}, name), element("dd", {}, fact)])),
    ...siteFigures(data, view, project.site),
  ];
}

function siteFigures(data: PlanData, view: View, site: number): HTMLElement[] {
  const whole = (value: number | null) => describe(value, "need").replace(/\.0$/, "");
  const use = (variant: 0 | 1, year: number) => [whole(data.sitePlaces(variant, 0, year, site)), whole(data.sitePupils(variant, year, site))];
  const rows = data.about.years.map((name, year) => [name, ...([0, 1] as const).flatMap((variant) => use(variant, year))]);
  const flows = data.flows(view.variant, view.year, site);
  const drawn = flows.reduce((sum, flow) => sum + flow.pupils, 0);
  const all = data.sitePupils(view.variant, view.year, site) ?? 0;
  const text = flows.length
    ? `Lines: ${flows.length === 1 ? "one area that sends" : `${flows.length} areas that send`} 5 pupils or more, ${describe(drawn, "need")} of ${describe(all, "need")} pupils in ${data.about.years[view.year]}.`
    : `No single area sends 5 pupils or more in ${data.about.years[view.year]}, so no lines are drawn.`;
  return [
    ...placesByNeed(data, view, site),
    table("Places and pupils of the whole setting", ["Year", "Places before", "Pupils before", "Places with plan", "Pupils with plan"], rows),
    element("p", { class: "note" }, text),
  ];
}

/** Places open to each need in the year shown; a place open to several needs counts for each. */
function placesByNeed(data: PlanData, { year }: View, site: number): HTMLElement[] {
  const of = (variant: 0 | 1, group: number) => data.sitePlaces(variant, group, year, site);
  const rows = data.groups.slice(1).map((code, i) => ({ name: data.about.groups[code], before: of(0, i + 1), after: of(1, i + 1) }));
  const open = rows.filter(({ before, after }) => before > 0 || after > 0).map(({ name, before, after }) => [name, before.toFixed(0), after.toFixed(0)]);
  return open.length ? [table(`Places open to each need, ${data.about.years[year]}`, ["Need", ...BEFORE_AFTER], open)] : [];
}

function gbp(project: Project): string {
  return `£${(project.capital_gbp / 1e6).toLocaleString("en-GB", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}m`;
}
