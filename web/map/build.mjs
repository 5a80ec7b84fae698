// Builds the page scripts into the package: everything that map.html inlines, so that the page asks the network for nothing.
import { build } from "esbuild";
import { copyFile, mkdir, rm } from "node:fs/promises";

const source = new URL(".", import.meta.url).pathname;
const modules = new URL("../../node_modules/", import.meta.url).pathname;
const target = new URL("../../sufficiency/outputs/map/dist/", import.meta.url).pathname;

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
const common = { bundle: true, minify: true, target: "es2022", legalComments: "inline", logLevel: "warning" };
await build({ ...common, entryPoints: [`${source}src/boot.ts`], format: "iife", outfile: `${target}boot.js` });
await build({ ...common, entryPoints: [`${source}src/app.ts`], format: "esm", outfile: `${target}app.js` });
await build({ ...common, entryPoints: [`${modules}maplibre-gl/dist/maplibre-gl-worker.mjs`], format: "esm", outfile: `${target}worker.js` });
await build({ ...common, entryPoints: [`${source}src/page.css`], loader: { ".svg": "dataurl" }, outfile: `${target}page.css` });
await copyFile(`${source}src/page.html`, `${target}page.html`);
