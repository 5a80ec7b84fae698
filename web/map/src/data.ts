// What the page holds: labels, shapes, and figures by variant, need group, year and zone.

import { Integers, polygons, unpack } from "./unpack";

export const MEASURES = {
  pupils: { name: "Pupils placed", unit: "pupils", label: "Pupils placed" },
  unmet: { name: "Pupils without a suitable place", unit: "pupils", label: "Without a suitable place" },
  minutes: { name: "Mean journey of placed pupils", unit: "minutes, one way", label: "Mean journey" },
  share: { name: "Share in independent settings", unit: "per cent of placed pupils", label: "In independent settings" },
} as const;

export type Measure = keyof typeof MEASURES;

/** 0 = before (only what is committed), 1 = after (with the plan). */
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

export interface About {
  name: string;
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
  pupils: number;
}

const STORED = ["pupils", "unmet", "independent", "minutes"];

export class PlanData {
  readonly groups: string[];

  private constructor(
    readonly about: About,
    readonly shapes: GeoJSON.MultiPolygon[],
    readonly outlines: GeoJSON.MultiPolygon[],
    private readonly figures: Int32Array,
    private readonly use: Int32Array,
    private readonly flowRows: Int32Array[],
  ) {
    this.groups = Object.keys(about.groups);
  }

  static async load(): Promise<PlanData> {
    const [labels, shapes, outlines, figures, use, flows] = await Promise.all(
      ["about", "shapes", "outlines", "figures", "use", "flows"].map(unpack),
    );
    const about = JSON.parse(new TextDecoder().decode(labels)) as About;
    const years = about.years.length;
    const groups = Object.keys(about.groups).length;
    const flowNumbers = new Integers(flows);
    const count = flowNumbers.next();
    return new PlanData(
      about,
      polygons(shapes, about.origin, about.step),
      polygons(outlines, about.origin, about.step),
      undoChanges(new Integers(figures), groups * STORED.length, years, about.zones.length),
      undoChanges(new Integers(use), 2, years, about.sites.name.length),
      Array.from({ length: 5 }, () => flowNumbers.take(count)),
    );
  }

  /** The figure in its unit, or null where it is not known, not shown or has nobody to describe. */
  value(measure: Measure, variant: Variant, group: number, year: number, zone: number): number | null {
    if (measure !== "share") return this.stored(measure, variant, group, year, zone);
    const pupils = this.stored("pupils", variant, group, year, zone);
    const independent = this.stored("independent", variant, group, year, zone);
    return !pupils || independent === null ? null : Math.min((100 * independent) / pupils, 100);
  }

  private stored(measure: string, variant: Variant, group: number, year: number, zone: number): number | null {
    const { years, zones } = this.about;
    const row = ((variant * this.groups.length + group) * STORED.length + STORED.indexOf(measure)) * years.length + year;
    const tenths = this.figures[row * zones.length + zone];
    return tenths < 0 ? null : tenths / 10;
  }

  /** Places or pupils of a site in a year; null where they are not shown. */
  siteUse(what: "places" | "pupils", variant: Variant, year: number, site: number): number | null {
    const row = (variant * 2 + (what === "places" ? 0 : 1)) * this.about.years.length + year;
    const tenths = this.use[row * this.about.sites.name.length + site];
    return tenths < 0 ? null : tenths / 10;
  }

  /** Flows of at least five pupils to a site. */
  flows(variant: Variant, year: number, site: number): Flow[] {
    const [variants, years, sites, areas, pupils] = this.flowRows;
    const found: Flow[] = [];
    for (let i = 0; i < variants.length; i++) {
      if (variants[i] === variant && years[i] === year && sites[i] === site) found.push({ area: areas[i], pupils: pupils[i] / 10 });
    }
    return found;
  }

  councilOf(area: number): string {
    return this.about.zones[this.about.areas + this.about.council_of_area[area]];
  }
}

/** Figures from changes against the year before, and of the plan against the counterfactual. */
function undoChanges(numbers: Integers, tables: number, years: number, columns: number): Int32Array {
  const size = tables * years * columns;
  const out = numbers.take(2 * size);
  for (let i = 0; i < out.length; i++) {
    if (Math.floor(i / columns) % years > 0) out[i] += out[i - columns];
  }
  for (let i = 0; i < size; i++) out[size + i] += out[i];
  return out;
}
