// What the page holds: labels, shapes, and figures by variant, need group, year and zone.

import { Integers, polygons } from "./unpack";

export const MEASURES = {
  need: { name: "Pupils who need a place", unit: "pupils, placed or not", label: "Who need a place" },
  unmet: { name: "Pupils without a suitable place", unit: "pupils", label: "Without a suitable place" },
  minutes: { name: "Mean journey of placed pupils", unit: "minutes, one way", label: "Mean journey" },
  share: { name: "Share in independent settings", unit: "per cent of placed pupils", label: "In independent settings" },
} as const;

export type Measure = keyof typeof MEASURES;

interface MeasureWords {
  name: string;
  unit: string;
  label: string;
}

/** 0 = before (only what is committed), 1 = after (with the plan); only 0 where there is no plan yet. */
export type Variant = 0 | 1;

export interface Project {
  number: number;
  project_id: string;
  name: string;
  kind: string;
  council: string;
  where: string;
  for_whom: string;
  phases: string;
  opens: string;
  stages: string;
  places: number;
  capital_gbp: number;
  decision: string;
  site: number;
  year: number;
  point: [number, number];
  in_counterfactual: boolean;
}

/** A project that may be built. */
export interface Candidate {
  project_id: string;
  name: string;
  kind: string;
  council: string;
  where: string;
  for_whom: string;
  phases: string;
  decision: string;
  min_places: number;
  max_places: number;
  earliest_start: string;
  point: [number, number];
}

export interface About {
  name: string;
  variants: string[];
  years: string[];
  groups: Record<string, string>;
  groups_below_council: boolean;
  modelled: string;
  origin: [number, number];
  step: number;
  zones: string[];
  areas: number;
  area_points: [number, number][];
  council_of_area: number[];
  council_points: [number, number][];
  kinds: Record<string, string>;
  sites: { site_id: string[]; name: string[]; kind: string[]; council: string[]; is_new: boolean[]; points: [number, number][] };
  projects: Project[];
}

export interface Flow {
  area: number;
  site: number;
  pupils: number;
}

const BLOCKS = ["about", "shapes", "outlines", "figures", "places", "use", "flows"];

const STORED = ["pupils", "unmet", "independent", "minutes"];

export class PlanData {
  readonly groups: string[];
  /** Projects that are not in the plan, where the page knows of them. */
  candidates: Candidate[] = [];

  /** The measures that are known: before any plan, unmet need is not. */
  readonly measures: Partial<Record<Measure, MeasureWords>>;

  private constructor(
    readonly about: About,
    readonly shapes: GeoJSON.MultiPolygon[],
    readonly outlines: GeoJSON.MultiPolygon[],
    private readonly figures: Int32Array,
    private readonly placeRows: Int32Array,
    private readonly use: Int32Array,
    private readonly flowRows: Int32Array[],
  ) {
    this.groups = Object.keys(about.groups);
    const { unmet: _, ...known } = MEASURES;
    this.measures = about.variants.length > 1 ? MEASURES : { ...known, need: { name: "Pupils placed", unit: "pupils", label: "Pupils placed" } };
  }

  /** `read` gives a block of the page or of the service by name. */
  static async load(read: (block: string) => Promise<Uint8Array<ArrayBuffer>>): Promise<PlanData> {
    const [labels, shapes, outlines, figures, places, use, flows] = await Promise.all(BLOCKS.map(read));
    const about = JSON.parse(new TextDecoder().decode(labels)) as About;
    const [years, variants] = [about.years.length, about.variants.length];
    const groups = Object.keys(about.groups).length;
    const flowNumbers = new Integers(flows);
    const count = flowNumbers.next();
    return new PlanData(
      about,
      polygons(shapes, about.origin, about.step),
      polygons(outlines, about.origin, about.step),
      undoChanges(new Integers(figures), variants, groups * STORED.length, years, about.zones.length),
      undoChanges(new Integers(places), variants, groups, years, about.sites.name.length),
      undoChanges(new Integers(use), variants, 1, years, about.sites.name.length),
      Array.from({ length: 5 }, () => flowNumbers.take(count)),
    );
  }

  /** The figure in its unit, or null where it is not known, not shown or has nobody to describe. */
  value(measure: Measure, variant: Variant, group: number, year: number, zone: number): number | null {
    if (measure === "unmet" || measure === "minutes") return this.stored(measure, variant, group, year, zone);
    const pupils = this.stored("pupils", variant, group, year, zone);
    if (measure === "need") {
      const unmet = this.stored("unmet", variant, group, year, zone);
      return pupils === null || (unmet === null && "unmet" in this.measures) ? null : pupils + (unmet ?? 0);
    }
    const independent = this.stored("independent", variant, group, year, zone);
    return !pupils || independent === null ? null : Math.min((100 * independent) / pupils, 100);
  }

  private stored(measure: string, variant: Variant, group: number, year: number, zone: number): number | null {
    const { years, zones } = this.about;
    const row = ((variant * this.groups.length + group) * STORED.length + STORED.indexOf(measure)) * years.length + year;
    const tenths = this.figures[row * zones.length + zone];
    return tenths < 0 ? null : tenths / 10;
  }

  /** Places of a site in a year that are open to a need group (0 = all of them); null where they are not shown. */
  sitePlaces(variant: Variant, group: number, year: number, site: number): number | null {
    const row = (variant * this.groups.length + group) * this.about.years.length + year;
    const tenths = this.placeRows[row * this.about.sites.name.length + site];
    return tenths < 0 ? null : tenths / 10;
  }

  /** Places that stand in each council and then in all of them, open to a need group (0 = all of them). */
  placesOfCouncils(variant: Variant, group: number, year: number): number[] {
    const { areas, sites, zones } = this.about;
    const names = zones.slice(areas, -1);
    const sums = new Map(names.map((name) => [name, 0]));
    sites.council.forEach((council, site) => sums.has(council) && sums.set(council, sums.get(council)! + (this.sitePlaces(variant, group, year, site) ?? 0)));
    const places = names.map((name) => sums.get(name)!);
    return [...places, places.reduce((sum, one) => sum + one, 0)];
  }

  /** Pupils of a site in a year; null where they are not shown. */
  sitePupils(variant: Variant, year: number, site: number): number | null {
    const tenths = this.use[(variant * this.about.years.length + year) * this.about.sites.name.length + site];
    return tenths < 0 ? null : tenths / 10;
  }

  /** Flows of at least five pupils, to one site or to all. */
  flows(variant: Variant, year: number, site: number | "all"): Flow[] {
    const [variants, years, sites, areas, pupils] = this.flowRows;
    const found: Flow[] = [];
    for (let i = 0; i < variants.length; i++) {
      if (variants[i] === variant && years[i] === year && (site === "all" || sites[i] === site)) found.push({ area: areas[i], site: sites[i], pupils: pupils[i] / 10 });
    }
    return found;
  }

  councilOf(area: number): string {
    return this.about.zones[this.about.areas + this.about.council_of_area[area]];
  }
}

/** Figures from changes against the year before, and of the plan against the counterfactual. */
function undoChanges(numbers: Integers, variants: number, tables: number, years: number, columns: number): Int32Array {
  const size = tables * years * columns;
  const out = numbers.take(variants * size);
  for (let i = 0; i < out.length; i++) {
    if (Math.floor(i / columns) % years > 0) out[i] += out[i - columns];
  }
  for (let i = size; i < out.length; i++) out[i] += out[i % size];
  return out;
}
