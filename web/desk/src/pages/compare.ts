// Two plans side by side: paired maps that move together, and what differs.

import { PlanData } from "../../../map/src/data";
import { PlanMap } from "../../../map/src/map";
import { councilsTable } from "../../../map/src/panels";
import type { View } from "../../../map/src/state";
import { baseMap, mapSection, openMap, workerUrl } from "../map_section";
import type { CaseBody, Comparison, PlanBody } from "../resources";
import { bytes, get, list, post } from "../service";
import { href } from "../state";
import { layoutChoice } from "../swipe";
import { element, heading, invented, link, paragraph, scroll, show, table, tiles } from "../ui";
import { capital, count, percent, pounds, signed, whole } from "../words";

const CHANGES: Record<string, string> = { "only first": "Only in the first", "only second": "Only in the second", resized: "Other size", moved: "Other year", same: "The same" };

export async function comparePage(firstId: string, secondId: string): Promise<void> {
  const [first, second] = await Promise.all([firstId, secondId].map((id) => get<PlanBody>(`plans/${id}`)));
  const [ofCase, comparison, ...data] = await Promise.all([
    get<CaseBody>(`cases/${first.case_id}`),
    compared(first, second),
    ...[firstId, secondId].map((id) => PlanData.load((block) => bytes(`plans/${id}/map/${block}`))),
  ]);
  const canvas = element("div", { class: "map", id: "second-map" });
  const secondCouncils = element("div");
  const changed = comparison.projects.filter(({ change }) => change !== "same");
  const map = mapSection("Where they differ", data[0].about.modelled);
  map.element.classList.add("paired");
  const headings: [HTMLElement, HTMLElement] = [heading(3, `First: ${first.name}`), heading(3, `Second: ${second.name}`)];
  map.beside.prepend(headings[1], canvas);
  const layout = layoutChoice({ section: map.element, frame: map.slots.frame, second: canvas, headings });
  show(
    `${first.name} and ${second.name}`,
    [[href({ case: ofCase.id }), ofCase.name]],
    heading(1, "Two plans side by side"),
    paragraph("First: ", link(href({ plan: firstId }), first.name), ". Second: ", link(href({ plan: secondId }), second.name), ". Differences are second less first."),
    ...invented(ofCase),
    ...(comparison.comparable ? [] : [element("div", { class: "govuk-inset-text" }, "The plans stem from different inputs, so the differences are not due to the choice of projects alone.")]),
    tiles(comparison.figures.filter(({ unit }) => !unit.startsWith("share")).slice(0, 5).map((row) => ({ name: capital(row.name), figure: signed(row.difference, (value) => form(value, row.unit)), note: `${row.unit}, second less first` }))),
    map.element,
    heading(3, "Figures by council, second plan"),
    scroll("Figures by council, second plan", secondCouncils),
    heading(2, "Pounds, pupils and minutes"),
    table("Both plans", ["Figure", "Unit", "First", "Second", "Difference"], comparison.figures.map(({ name, unit, first: a, second: b, difference }) => [capital(name), unit, form(a, unit), form(b, unit), signed(difference, (value) => form(value, unit))]), [1]),
    heading(2, "Projects that differ"),
    changed.length
      ? table(
          `${count(changed.length, "project")} of ${comparison.projects.length}`,
          ["Project", "Change", "Places, first", "Places, second", "Capital, first", "Capital, second"],
          changed.map((row) => [row.name, CHANGES[row.change] ?? row.change, whole(row.places_first), whole(row.places_second), pounds(row.capital_gbp_first), pounds(row.capital_gbp_second)]),
          [1],
        )
      : paragraph("Both plans build the same projects, of the same size, in the same years."),
  );
  map.slots.frame.before(headings[0]);
  const other = { map: null as PlanMap | null };
  const follow = (view: View) => {
    const same = { ...view, group: sameNeed(data, view.group), year: Math.min(view.year, data[1].about.years.length - 1) };
    other.map?.show(same, null);
    secondCouncils.replaceChildren(councilsTable(data[1], same));
  };
  const explorer = await openMap(map, data[0], { label: label("first", first), changed: follow });
  if (!explorer.map) return;
  other.map = await PlanMap.create(canvas, label("second", second), workerUrl(), data[1], baseMap());
  other.map.scale = data[0];
  explorer.show();
  map.slots.controls.before(layout.element);
  layout.place([explorer.map.map, other.map.map]);
  moveTogether(explorer.map, other.map);
}

const label = (which: string, { name }: PlanBody): string => `Map of the ${which} plan, ${name}. The tables on this page hold the same figures.`;

/** The need group of the second plan that bears the same code. */
const sameNeed = ([first, second]: PlanData[], group: number): number => Math.max(0, second.groups.indexOf(first.groups[group]));

async function compared(first: PlanBody, second: PlanBody): Promise<Comparison> {
  const known = await list<Comparison & { first_plan_id: string; second_plan_id: string }>(`comparisons?plan_id=${first.id}`);
  return known.find((one) => one.first_plan_id === first.id && one.second_plan_id === second.id) ?? post<Comparison>("comparisons", { first_plan_id: first.id, second_plan_id: second.id });
}

function form(value: number, unit: string): string {
  if (unit.startsWith("GBP")) return pounds(value);
  if (unit.startsWith("share")) return percent(value);
  return unit.startsWith("minutes") ? value.toFixed(1) : whole(value);
}

function moveTogether(first: PlanMap, second: PlanMap): void {
  let leading = false;
  for (const [one, other] of [[first.map, second.map], [second.map, first.map]]) {
    one.on("move", () => {
      if (leading) return;
      leading = true;
      other.jumpTo({ center: one.getCenter(), zoom: one.getZoom() });
      leading = false;
    });
  }
}
