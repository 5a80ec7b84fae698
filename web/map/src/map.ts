// The map: areas shaded by a figure, council outlines, settings, projects and flows. It knows what to draw, not why.

import { LngLatBounds, Map as LibreMap, NavigationControl, ScaleControl, setWorkerUrl, type ExpressionSpecification, type GeoJSONSource, type LngLatBoundsLike } from "maplibre-gl";
import { breaks, classOf, shade } from "./classes";
import type { PlanData } from "./data";
import type { Selection, View } from "./state";
import { hatching, projectSymbol, settingSymbol, SYMBOLS } from "./symbols";

const DARK = "#0b0c0c";
/** With more projects than this, pins show their numbers only from close by; with more settings, their symbols start small. */
const MOST_NUMBERED = 150;

/** With more settings than this, they show only from close by. */
export const MOST_SITES = 1000;

/** With more councils than this, names show only from close by. */
const MOST_NAMED = 30;

/** Room for the legend where it lies on the map. */
const LEGEND_PX = { width: 265, height: 245 };

const EMPTY: GeoJSON.FeatureCollection = { type: "FeatureCollection", features: [] };

export class PlanMap {
  private constructor(
    readonly map: LibreMap,
    private readonly data: PlanData,
  ) {}

  /** Resolves once the layers stand. */
  static async create(container: HTMLElement, workerUrl: string, data: PlanData): Promise<PlanMap> {
    setWorkerUrl(workerUrl);
    const map = new LibreMap({
      container,
      style: { version: 8, sources: {}, layers: [{ id: "paper", type: "background", paint: { "background-color": "#e8ecef" } }] },
      bounds: extent(data),
      attributionControl: false,
      dragRotate: false,
      pitchWithRotate: false,
      maxPitch: 0,
      renderWorldCopies: false,
      canvasContextAttributes: { preserveDrawingBuffer: true },
    });
    map.touchZoomRotate.disableRotation();
    map.keyboard.disableRotation();
    map.addControl(new NavigationControl({ showCompass: false }), "top-right");
    map.addControl(new ScaleControl({ unit: "metric", maxWidth: 120 }), "bottom-right");
    await map.once("load");
    fitBesideLegend(map, extent(data));
    const made = new PlanMap(map, data);
    made.addLayers();
    return made;
  }

  private addLayers(): void {
    const { map, data } = this;
    const home = map.getZoom();
    map.setMissingStyleImageResolver((id) => {
      const [state, number] = id.split("-");
      map.addImage(id, projectSymbol(state === "open", number), { pixelRatio: 2 });
    });
    for (const [kind, symbol] of Object.entries(SYMBOLS)) map.addImage(kind, settingSymbol(symbol), { pixelRatio: 2 });
    map.addImage("hatching", hatching(), { pixelRatio: 2 });
    map.addSource("areas", { type: "geojson", data: collection(data.shapes), tolerance: 0.2 });
    map.addSource("councils", { type: "geojson", data: collection(data.outlines), tolerance: 0.2 });
    map.addSource("council-names", { type: "geojson", data: points(data.about.council_points, (i) => ({ name: data.about.zones[data.about.areas + i] })) });
    for (const source of ["settings", "projects", "flows", "chosen-site"]) map.addSource(source, { type: "geojson", data: EMPTY });
    map.addLayer({ id: "areas", type: "fill", source: "areas", paint: { "fill-color": ["coalesce", ["feature-state", "shade"], "#ffffff"] } });
    map.addLayer({ id: "areas-unknown", type: "fill", source: "areas", paint: { "fill-pattern": "hatching", "fill-opacity": ["case", ["boolean", ["feature-state", "unknown"], false], 1, 0] } });
    map.addLayer({ id: "area-borders", type: "line", source: "areas", paint: { "line-color": "#8fa3b5", "line-width": ["interpolate", ["linear"], ["zoom"], 6, 0.1, 12, 0.8] } });
    map.addLayer({ id: "council-borders", type: "line", source: "councils", layout: { "line-join": "round" }, paint: { "line-color": DARK, "line-width": ["interpolate", ["linear"], ["zoom"], 5, 0.6, 10, 2] } });
    map.addLayer({ id: "chosen-area", type: "line", source: "areas", filter: ["==", ["id"], -1], paint: { "line-color": DARK, "line-width": 4 } });
    map.addLayer({ id: "chosen-area-glow", type: "line", source: "areas", filter: ["==", ["id"], -1], paint: { "line-color": "#ffdd00", "line-width": 2 } });
    const width: ExpressionSpecification = ["interpolate", ["linear"], ["get", "pupils"], 5, 2, 40, 8];
    map.addLayer({ id: "flow-edges", type: "line", source: "flows", layout: { "line-cap": "round" }, paint: { "line-color": "#ffffff", "line-width": ["+", 2, width] } });
    map.addLayer({ id: "flows", type: "line", source: "flows", layout: { "line-cap": "round" }, paint: { "line-color": DARK, "line-width": width } });
    map.addLayer({
      id: "chosen-site",
      type: "circle",
      source: "chosen-site",
      paint: { "circle-radius": 24, "circle-color": "#ffdd00", "circle-opacity": 0.6, "circle-stroke-color": DARK, "circle-stroke-width": 3 },
    });
    map.addLayer({
      id: "settings",
      type: "symbol",
      source: "settings",
      minzoom: data.about.sites.name.length > MOST_SITES ? 7 : 0,
      layout: {
        "icon-image": ["get", "kind"],
        "icon-size": ["interpolate", ["linear"], ["zoom"], home, ["*", data.about.sites.name.length > MOST_NUMBERED ? 0.55 : 0.8, ["get", "size"]], home + 2.5, ["get", "size"]],
        "icon-allow-overlap": true,
        "icon-ignore-placement": true,
        "symbol-sort-key": ["-", 0, ["get", "size"]],
      },
    });
    map.addLayer({
      id: "council-names",
      type: "symbol",
      source: "council-names",
      minzoom: data.outlines.length > MOST_NAMED ? 7 : 0,
      layout: { "text-field": ["get", "name"], "text-font": ["Arial"], "text-size": 15, "text-padding": 6 },
      paint: { "text-color": DARK, "text-halo-color": "#ffffff", "text-halo-width": 2 },
    });
    const few = data.about.projects.length <= MOST_NUMBERED;
    const state: ExpressionSpecification = ["case", ["get", "open"], "open-", "planned-"];
    const numbered: ExpressionSpecification = ["concat", state, ["get", "number"]];
    map.addLayer({
      id: "projects",
      type: "symbol",
      source: "projects",
      layout: {
        "icon-image": ["step", ["zoom"], few ? numbered : state, 8, numbered],
        "icon-anchor": "bottom",
        "icon-allow-overlap": true,
        "icon-ignore-placement": true,
        "icon-size": few ? ["interpolate", ["linear"], ["zoom"], home, 0.75, home + 2, 1] : ["interpolate", ["linear"], ["zoom"], 5, 0.15, 7, 0.3, 10, 1],
        "symbol-sort-key": ["-", 0, ["get", "index"]],
      },
    });
  }

  /** Draws a view: shades, sizes of settings, state of projects, flows and what is chosen. */
  show(view: View, selection: Selection | null): void {
    this.shadeAreas(view);
    this.source("settings").setData(this.settings(view));
    this.source("projects").setData(this.projects(view));
    this.source("flows").setData(this.flows(view, selection));
    const chosen = selection?.kind === "area" ? selection.index : -1;
    for (const layer of ["chosen-area", "chosen-area-glow"]) this.map.setFilter(layer, ["==", ["id"], chosen]);
    this.source("chosen-site").setData(this.chosenSite(selection));
  }

  private shadeAreas({ measure, group, variant, year }: View): void {
    const bounds = breaks(this.data, measure, group);
    for (let area = 0; area < this.data.about.areas; area++) {
      const value = this.data.value(measure, variant, group, year, area);
      const state = value === null ? { shade: "#ffffff", unknown: true } : { shade: shade(classOf(value, bounds), bounds), unknown: false };
      this.map.setFeatureState({ source: "areas", id: area }, state);
    }
  }

  private chosenSite(selection: Selection | null): GeoJSON.FeatureCollection {
    const { sites, projects } = this.data.about;
    const at = selection?.kind === "site" ? [sites.points[selection.index]] : selection?.kind === "project" ? [projects[selection.index].point] : [];
    return points(at, () => ({}));
  }

  private settings({ variant, year }: View): GeoJSON.FeatureCollection {
    const { sites } = this.data.about;
    return points(sites.points, (i) => {
      const places = this.data.siteUse("places", variant, year, i) ?? 0;
      return { kind: sites.kind[i], size: Math.min(Math.max(Math.sqrt(places / 100), 0.7), 1.4) };
    }, (i) => !sites.is_new[i]);
  }

  private projects({ variant, year }: View): GeoJSON.FeatureCollection {
    const { projects } = this.data.about;
    const shown = variant ? projects : projects.filter((project) => project.in_counterfactual);
    return points(shown.map((project) => project.point), (i) => ({
      number: String(shown[i].number),
      index: projects.indexOf(shown[i]),
      open: shown[i].year <= year,
    }));
  }

  private flows({ variant, year }: View, selection: Selection | null): GeoJSON.FeatureCollection {
    const { about } = this.data;
    const site = selection?.kind === "site" ? selection.index : selection?.kind === "project" ? about.projects[selection.index].site : -1;
    return {
      type: "FeatureCollection",
      features: this.data.flows(variant, year, site).map(({ area, pupils }) => ({
        type: "Feature",
        properties: { pupils },
        geometry: { type: "LineString", coordinates: [about.area_points[area], about.sites.points[site]] },
      })),
    };
  }

  /** What lies under a point of the screen: a project before a setting before an area. */
  under(point: { x: number; y: number }): Selection | null {
    const found = this.map.queryRenderedFeatures([point.x, point.y], { layers: ["projects", "settings", "areas"] });
    const first = (layer: string) => found.find((feature) => feature.layer.id === layer);
    const project = first("projects");
    if (project) return { kind: "project", index: project.properties.index as number };
    const setting = first("settings");
    if (setting) return { kind: "site", index: setting.id as number };
    const area = first("areas");
    return area ? { kind: "area", index: area.id as number } : null;
  }

  /** Brings what is chosen into sight, with the areas at the far ends of its lines. */
  goTo(selection: Selection, view: View): void {
    const { sites, projects, area_points } = this.data.about;
    const at = { area: area_points, site: sites.points, project: projects.map((project) => project.point) }[selection.kind][selection.index];
    const far = this.flows(view, selection).features.map((flow) => (flow.geometry as GeoJSON.LineString).coordinates[0] as [number, number]);
    const bounds = far.reduce((box, point) => box.extend(point), new LngLatBounds(at, at));
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.map.fitBounds(bounds, { padding: 120, maxZoom: 11.5, duration: calm ? 0 : 400 });
  }

  private source(id: string): GeoJSONSource {
    return this.map.getSource(id) as GeoJSONSource;
  }
}

function collection(shapes: GeoJSON.Geometry[]): GeoJSON.FeatureCollection {
  return { type: "FeatureCollection", features: shapes.map((geometry, id) => ({ type: "Feature", id, properties: {}, geometry })) };
}

function points(at: [number, number][], properties: (i: number) => GeoJSON.GeoJsonProperties, keep: (i: number) => boolean = () => true): GeoJSON.FeatureCollection {
  const features = at.map((coordinates, id) => ({ type: "Feature", id, properties: properties(id), geometry: { type: "Point", coordinates } }) as GeoJSON.Feature);
  return { type: "FeatureCollection", features: features.filter((_, i) => keep(i)) };
}

/** Shows everything as large as it can be, right of the legend or below it. */
function fitBesideLegend(map: LibreMap, bounds: LngLatBoundsLike): void {
  const edges = { top: 25, bottom: 25, left: 25, right: 60 };
  const onMap = getComputedStyle(document.getElementById("legend")!).position === "absolute";
  const ways = onMap ? [{ ...edges, left: LEGEND_PX.width }, { ...edges, top: LEGEND_PX.height }] : [edges];
  const zoom = (padding: typeof edges) => map.cameraForBounds(bounds, { padding })?.zoom ?? 0;
  const padding = ways.reduce((best, other) => (zoom(other) > zoom(best) ? other : best));
  map.fitBounds(bounds, { padding, animate: false });
}

function extent(data: PlanData): LngLatBoundsLike {
  let [west, south, east, north] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const shape of data.outlines) {
    for (const [ring] of shape.coordinates) {
      for (const [x, y] of ring) {
        west = Math.min(west, x);
        south = Math.min(south, y);
        east = Math.max(east, x);
        north = Math.max(north, y);
      }
    }
  }
  return [west, south, east, north];
}
