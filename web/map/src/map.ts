// The map: areas shaded by a figure, council outlines, settings, projects and flows. It knows what to draw, not why.

import { LngLatBounds, Map as LibreMap, NavigationControl, prewarm, ScaleControl, setWorkerUrl, type ExpressionSpecification, type FilterSpecification, type GeoJSONSource, type StyleSpecification } from "maplibre-gl";
import { breaks, classOf, shade } from "./classes";
import type { PlanData } from "./data";
import { arrange, type Point } from "./pins";
import type { Selection, View } from "./state";
import { candidateSymbol, crowdSymbol, hatching, projectSymbol, settingSymbol, SYMBOLS } from "./symbols";

const DARK = "#0b0c0c";
/** With more settings than this, their symbols start small. */
const MOST_LARGE = 150;

/** With more settings than this, they show only from close by. */
export const MOST_SITES = 1000;

/** With more areas than this, their borders show only from close by: from afar they would be finer than a pixel. */
const MOST_BORDERED = 3000;

/** With more councils than this, names show only from close by. */
const MOST_NAMED = 30;

/** How far borders may be from where they are, px: drawing them in software costs as much as their corners are many. */
const SIMPLER_PX = { areas: 0.6, councils: 1.5 };

/** A pin on the screen, in pixels. */
const PIN = { width: 25, height: 31 };
const CLOSEST_ZOOM = 17;
const EDGE_PX = 24;

type Bounds = [west: number, south: number, east: number, north: number];

/** Room that a council's name likes to have to the nearest pin, px; it is wider than high. Half the width of a letter, px. */
const NAME_ROOM = { px: 70, width: 2.2, letter: 4.2 };

const NOTHING: FilterSpecification = ["==", ["id"], -1];

const EMPTY: GeoJSON.FeatureCollection = { type: "FeatureCollection", features: [] };

/** Starts the map's workers, so that they are ready when the data is. */
export function prepareMap(workerUrl: string): void {
  setWorkerUrl(workerUrl);
  prewarm();
}

export class PlanMap {
  private drawnPins: { at: [number, number]; properties: { number: string; index: number; open: boolean } }[] = [];

  /** The plan whose figures make the classes; another one where two maps are compared. */
  scale: PlanData;

  private constructor(
    readonly map: LibreMap,
    private readonly data: PlanData,
  ) {
    this.scale = data;
  }

  /** Resolves once the layers stand. `label` names the map to those who can't see it; `baseMap` is the address of tiles behind it. */
  static async create(container: HTMLElement, label: string, workerUrl: string, data: PlanData, baseMap?: string): Promise<PlanMap> {
    setWorkerUrl(workerUrl);
    const home = extent(data);
    const padding = { top: EDGE_PX + (data.about.projects.length ? PIN.height : 0), bottom: EDGE_PX, left: EDGE_PX, right: EDGE_PX };
    // the box gets the shape of the region, so that little of it stays empty
    container.style.setProperty("--aspect", String(aspect(home)));
    container.style.setProperty("--edges-x", `${padding.left + padding.right}px`);
    container.style.setProperty("--edges-y", `${padding.top + padding.bottom}px`);
    const map = new LibreMap({
      container,
      style: style(baseMap),
      bounds: home,
      fitBoundsOptions: { padding },
      maxZoom: CLOSEST_ZOOM,
      attributionControl: false,
      fadeDuration: 0,
      dragRotate: false,
      pitchWithRotate: false,
      maxPitch: 0,
      renderWorldCopies: false,
    });
    map.getCanvas().setAttribute("aria-label", label);
    map.touchZoomRotate.disableRotation();
    map.keyboard.disableRotation();
    map.addControl(new NavigationControl({ showCompass: false }), "top-right");
    map.addControl(new ScaleControl({ unit: "metric", maxWidth: 120 }), "bottom-right");
    keepForPrint(map, container, label);
    await map.once("load");
    const made = new PlanMap(map, data);
    made.addLayers();
    map.on("zoomend", () => made.placePins());
    map.on("resize", () => made.placePins());
    return made;
  }

  private addLayers(): void {
    const { map, data } = this;
    const home = map.getZoom();
    map.setMissingStyleImageResolver((id) => {
      const [state, number] = id.split("-");
      map.addImage(id, state === "crowd" ? crowdSymbol(number) : projectSymbol(state === "open", number), { pixelRatio: 2 });
    });
    for (const [kind, symbol] of Object.entries(SYMBOLS)) map.addImage(kind, settingSymbol(symbol), { pixelRatio: 2 });
    map.addImage("candidate", candidateSymbol(), { pixelRatio: 2 });
    map.addImage("hatching", hatching(), { pixelRatio: 2 });
    map.addSource("areas", { type: "geojson", data: collection(data.shapes), tolerance: SIMPLER_PX.areas, buffer: 32 });
    map.addSource("councils", { type: "geojson", data: collection(data.outlines), tolerance: SIMPLER_PX.councils, buffer: 32 });
    for (const source of ["council-names", "settings", "projects", "candidates", "pin-leaders", "flows", "chosen-site"]) map.addSource(source, { type: "geojson", data: EMPTY });
    map.addLayer({ id: "areas", type: "fill", source: "areas", paint: { "fill-color": ["coalesce", ["feature-state", "shade"], "#ffffff"], "fill-antialias": false } });
    map.addLayer({ id: "areas-unknown", type: "fill", source: "areas", filter: NOTHING, paint: { "fill-pattern": "hatching" } });
    map.addLayer({ id: "area-borders", type: "line", source: "areas", minzoom: data.about.areas > MOST_BORDERED ? 8 : 0, paint: { "line-color": "#8fa3b5", "line-width": ["interpolate", ["linear"], ["zoom"], 6, 0.1, 12, 0.8] } });
    map.addLayer({ id: "council-borders", type: "line", source: "councils", paint: { "line-color": DARK, "line-width": ["interpolate", ["linear"], ["zoom"], 5, 0.6, 10, 2] } });
    map.addLayer({ id: "chosen-area", type: "line", source: "areas", filter: NOTHING, paint: { "line-color": DARK, "line-width": 4 } });
    map.addLayer({ id: "chosen-area-glow", type: "line", source: "areas", filter: NOTHING, paint: { "line-color": "#ffdd00", "line-width": 2 } });
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
        "icon-size": ["interpolate", ["linear"], ["zoom"], home, ["*", data.about.sites.name.length > MOST_LARGE ? 0.55 : 0.8, ["get", "size"]], home + 2.5, ["get", "size"]],
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
      layout: {
        "text-field": ["get", "name"],
        "text-font": ["Arial"],
        "text-size": 15,
        "text-padding": 4,
        "text-variable-anchor": ["center", "top", "bottom"],
        "text-radial-offset": 1,
      },
      paint: { "text-color": DARK, "text-halo-color": "#ffffff", "text-halo-width": 2 },
    });
    map.addLayer({
      id: "candidates",
      type: "symbol",
      source: "candidates",
      layout: { "icon-image": "candidate", "icon-allow-overlap": data.candidates.length <= MOST_LARGE, "icon-padding": 0 },
    });
    map.addLayer({ id: "pin-leaders-edge", type: "line", source: "pin-leaders", paint: { "line-color": "#ffffff", "line-width": 4 } });
    map.addLayer({ id: "pin-leaders", type: "line", source: "pin-leaders", paint: { "line-color": DARK, "line-width": 2 } });
    const state: ExpressionSpecification = ["case", ["get", "open"], "open-", "planned-"];
    map.addLayer({
      id: "projects",
      type: "symbol",
      source: "projects",
      layout: {
        "icon-image": ["case", ["has", "crowd"], ["concat", "crowd-", ["get", "crowd"]], ["concat", state, ["get", "number"]]],
        "icon-anchor": "bottom",
        "icon-allow-overlap": true,
        "icon-size": 0.8,
        "symbol-sort-key": ["-", 0, ["coalesce", ["get", "index"], 0]],
      },
    });
  }

  /** Draws a view: shades, sizes of settings, state of projects, flows and what is chosen. */
  show(view: View, selection: Selection | null): void {
    this.shadeAreas(view);
    this.source("settings").setData(view.layers.settings ? this.settings(view) : EMPTY);
    this.source("candidates").setData(view.layers.candidates ? points(this.data.candidates.map(({ point }) => point), (index) => ({ index })) : EMPTY);
    this.drawnPins = view.layers.projects ? this.projects(view) : [];
    this.placePins();
    this.source("flows").setData(this.flows(view, view.layers.flows ? "all" : this.siteOf(selection)));
    const chosen = selection?.kind === "area" ? selection.index : -1;
    for (const layer of ["chosen-area", "chosen-area-glow"]) this.map.setFilter(layer, ["==", ["id"], chosen]);
    this.source("chosen-site").setData(this.chosenSite(selection));
  }

  private shadeAreas({ measure, group, variant, year }: View): void {
    const bounds = breaks(this.scale, measure, Math.max(0, this.scale.groups.indexOf(this.data.groups[group])));
    const unknown: number[] = [];
    for (let area = 0; area < this.data.about.areas; area++) {
      const value = this.data.value(measure, variant, group, year, area);
      if (value === null) unknown.push(area);
      this.map.setFeatureState({ source: "areas", id: area }, { shade: value === null ? "#ffffff" : shade(classOf(value, bounds), bounds) });
    }
    this.map.setFilter("areas-unknown", unknown.length ? ["in", ["id"], ["literal", unknown]] : NOTHING);
  }

  private chosenSite(selection: Selection | null): GeoJSON.FeatureCollection {
    return points(selection && selection.kind !== "area" ? [this.placeOf(selection)] : [], () => ({}));
  }

  private settings({ variant, group, year }: View): GeoJSON.FeatureCollection {
    const { sites } = this.data.about;
    const places = sites.name.map((_, i) => this.data.sitePlaces(variant, group, year, i));
    const size = (i: number) => Math.min(Math.max(Math.sqrt((places[i] ?? 0) / 100), 0.7), 1.4);
    return points(sites.points, (i) => ({ kind: sites.kind[i], size: size(i) }), (i) => !sites.is_new[i] && (group === 0 || places[i] !== 0));
  }

  private projects({ variant, year }: View): typeof this.drawnPins {
    const shown = this.data.about.projects.map((project, index) => ({ project, index })).filter(({ project }) => variant || project.in_counterfactual);
    return shown.map(({ project, index }) => ({ at: project.point, properties: { number: String(project.number), index, open: project.year <= year } }));
  }

  /** Draws the pins where none hides another at this zoom, each with a line to its place when it had to step aside. */
  private placePins(): void {
    const { map } = this;
    const { clientWidth, clientHeight } = map.getContainer();
    const area = map.getZoom() > CLOSEST_ZOOM - 1 ? Infinity : clientWidth * clientHeight;
    const pins = arrange(this.drawnPins.map(({ at }) => map.project(at)), PIN.width, PIN.height, area);
    const features = pins.map(({ x, y, members }): GeoJSON.Feature => {
      const alone = this.drawnPins[members[0]].properties;
      const properties = members.length > 1 ? { crowd: members.length, members: members.map((i) => this.drawnPins[i].properties.index) } : alone;
      return { type: "Feature", properties, geometry: { type: "Point", coordinates: map.unproject([x, y]).toArray() } };
    });
    this.source("projects").setData({ type: "FeatureCollection", features });
    this.source("council-names").setData(this.names(pins));
    const aside = pins.filter(({ x, y, at }) => Math.hypot(x - at.x, y - at.y) > 3);
    const leaders = aside.map(({ x, y, at }): GeoJSON.Feature => {
      const coordinates = [map.unproject([x, y]).toArray(), map.unproject([at.x, at.y]).toArray()];
      return { type: "Feature", properties: {}, geometry: { type: "LineString", coordinates } };
    });
    this.source("pin-leaders").setData({ type: "FeatureCollection", features: leaders });
  }

  /** Councils' names, each where its areas leave most room between the pins, near its middle. */
  private names(pins: Point[]): GeoJSON.FeatureCollection {
    const { areas, area_points, council_of_area, council_points, zones } = this.data.about;
    const middle = council_points.map((point) => this.map.project(point));
    const best = council_points.map((at) => ({ at, room: -Infinity }));
    const width = this.map.getContainer().clientWidth;
    const half = council_points.map((_, i) => NAME_ROOM.letter * zones[areas + i].length);
    area_points.forEach((at, area) => {
      const council = council_of_area[area];
      const { x, y } = this.map.project(at);
      const clear = pins.reduce((least, pin) => Math.min(least, Math.hypot((pin.x - x) / NAME_ROOM.width, pin.y - PIN.height / 2 - y)), NAME_ROOM.px);
      const cut = Math.max(half[council] - x, x + half[council] - width, 0);
      const room = clear - cut - 0.1 * Math.hypot(middle[council].x - x, middle[council].y - y);
      if (room > best[council].room) best[council] = { at, room };
    });
    return points(best.map(({ at }) => at), (i) => ({ name: zones[areas + i] }));
  }

  private siteOf(selection: Selection | null): number {
    return selection?.kind === "site" ? selection.index : selection?.kind === "project" ? this.data.about.projects[selection.index].site : -1;
  }

  private flows({ variant, year }: View, to: number | "all"): GeoJSON.FeatureCollection {
    const { about } = this.data;
    return {
      type: "FeatureCollection",
      features: this.data.flows(variant, year, to).map(({ area, site, pupils }) => ({
        type: "Feature",
        properties: { pupils },
        geometry: { type: "LineString", coordinates: [about.area_points[area], about.sites.points[site]] },
      })),
    };
  }

  /** Zooms to the projects that a crowd's pin stands for; whether there is one at this point of the screen. */
  openCrowd(point: { x: number; y: number }): boolean {
    const [crowd] = this.map.queryRenderedFeatures([point.x, point.y], { layers: ["projects"], filter: ["has", "crowd"] });
    if (!crowd) return false;
    const members = JSON.parse(crowd.properties.members as string) as number[];
    this.fit(members.map((index) => this.data.about.projects[index].point));
    return true;
  }

  /** What lies under a point of the screen: a project before a setting before an area. */
  under(point: { x: number; y: number }): Selection | null {
    const found = this.map.queryRenderedFeatures([point.x, point.y], { layers: ["projects", "candidates", "settings", "areas"] });
    const first = (layer: string) => found.find((feature) => feature.layer.id === layer);
    const project = first("projects");
    if (project?.properties.index !== undefined) return { kind: "project", index: project.properties.index as number };
    const candidate = first("candidates");
    if (candidate) return { kind: "candidate", index: candidate.properties.index as number };
    const setting = first("settings");
    if (setting) return { kind: "site", index: setting.id as number };
    const area = first("areas");
    return area ? { kind: "area", index: area.id as number } : null;
  }

  /** Brings what is chosen into sight, with the areas at the far ends of its lines. */
  goTo(selection: Selection, view: View): void {
    const at = this.placeOf(selection);
    const far = this.flows(view, this.siteOf(selection)).features.map((flow) => (flow.geometry as GeoJSON.LineString).coordinates[0] as [number, number]);
    this.fit([at, ...far], 11.5);
  }

  private placeOf({ kind, index }: Selection): [number, number] {
    const { about, candidates } = this.data;
    if (kind === "area") return about.area_points[index];
    if (kind === "site") return about.sites.points[index];
    return (kind === "project" ? about.projects : candidates)[index].point;
  }

  private fit(places: [number, number][], maxZoom = CLOSEST_ZOOM): void {
    const bounds = places.reduce((box, point) => box.extend(point), new LngLatBounds(places[0], places[0]));
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const { clientWidth, clientHeight } = this.map.getContainer();
    this.map.fitBounds(bounds, { padding: Math.min(120, clientWidth / 4, clientHeight / 4), maxZoom, duration: calm ? 0 : 400 });
  }

  private source(id: string): GeoJSONSource {
    return this.map.getSource(id) as GeoJSONSource;
  }
}

/** A still copy of the map with its scale, as it is on the screen: paper has another size, for which nothing would be drawn in time. */
function keepForPrint(map: LibreMap, container: HTMLElement, label: string): void {
  const sheet = document.createElement("canvas");
  sheet.className = "printed";
  sheet.setAttribute("role", "img");
  sheet.setAttribute("aria-label", label);
  container.after(sheet);
  addEventListener("beforeprint", () => {
    map.redraw();
    const drawn = map.getCanvas();
    const [ratio, bar] = [drawn.width / drawn.clientWidth, container.querySelector<HTMLElement>(".maplibregl-ctrl-scale")!];
    [sheet.width, sheet.height] = [drawn.width, drawn.height];
    const paint = sheet.getContext("2d")!;
    paint.drawImage(drawn, 0, 0);
    paint.scale(ratio, ratio);
    const [left, top] = [drawn.clientWidth - bar.offsetWidth - 12, drawn.clientHeight - 30];
    paint.fillStyle = "#ffffff";
    paint.fillRect(left, top, bar.offsetWidth, 20);
    paint.fillStyle = DARK;
    paint.font = "12px arial, sans-serif";
    paint.fillText(bar.textContent ?? "", left + 5, top + 14);
    paint.strokeStyle = DARK;
    paint.lineWidth = 2;
    paint.strokeRect(left, top, bar.offsetWidth, 20);
  });
}

function collection(shapes: GeoJSON.Geometry[]): GeoJSON.FeatureCollection {
  return { type: "FeatureCollection", features: shapes.map((geometry, id) => ({ type: "Feature", id, properties: {}, geometry })) };
}

function points(at: [number, number][], properties: (i: number) => GeoJSON.GeoJsonProperties, keep: (i: number) => boolean = () => true): GeoJSON.FeatureCollection {
  const features = at.map((coordinates, id) => ({ type: "Feature", id, properties: properties(id), geometry: { type: "Point", coordinates } }) as GeoJSON.Feature);
  return { type: "FeatureCollection", features: features.filter((_, i) => keep(i)) };
}

/** Paper, or the tiles of a base map in grey so that shades and symbols stand out. */
function style(baseMap?: string): StyleSpecification {
  const paper = { id: "paper", type: "background" as const, paint: { "background-color": "#e8ecef" } };
  if (!baseMap) return { version: 8, sources: {}, layers: [paper] };
  const tiles = { id: "base-map", type: "raster" as const, source: "base-map", paint: { "raster-saturation": -1, "raster-opacity": 0.6 } };
  return { version: 8, sources: { "base-map": { type: "raster", tiles: [baseMap], tileSize: 256 } }, layers: [paper, tiles] };
}

/** Width against height on the screen. */
function aspect([west, south, east, north]: Bounds): number {
  const height = (latitude: number) => Math.log(Math.tan(Math.PI / 4 + (latitude * Math.PI) / 360));
  return ((east - west) * Math.PI) / 180 / Math.max(height(north) - height(south), 1e-9);
}

function extent(data: PlanData): Bounds {
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
