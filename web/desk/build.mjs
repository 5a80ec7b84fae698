// Builds the planner's page into the service: hashed names, so that browsers may keep them, and an index that names them.
import { build } from "esbuild";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";

const source = new URL(".", import.meta.url).pathname;
const modules = new URL("../../node_modules/", import.meta.url).pathname;
const target = new URL("../../api/web/dist/", import.meta.url).pathname;

await rm(target, { recursive: true, force: true });
await mkdir(`${target}assets`, { recursive: true });

/** The design system's style sheet without its typeface and crest, which are for services of the government only. */
const outsideGovernment = {
  name: "outside-government",
  setup(bundle) {
    bundle.onLoad({ filter: /govuk-frontend\.min\.css$/ }, async ({ path }) => {
      const sheet = await readFile(path, "utf-8");
      const plain = sheet.replace(/@font-face\{[^}]*\}/g, "").replaceAll("GDS Transport,", "").replace(/[a-z-]+:[^;{}]*url\(\/assets\/images[^;}]*;?/g, "");
      return { contents: plain, loader: "css" };
    });
  },
};
const { metafile } = await build({
  entryPoints: { desk: `${source}src/main.ts`, style: `${source}src/desk.css`, worker: `${modules}maplibre-gl/dist/maplibre-gl-worker.mjs` },
  outdir: `${target}assets`,
  entryNames: "[name]-[hash]",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  metafile: true,
  loader: { ".svg": "dataurl" },
  legalComments: "inline",
  logLevel: "warning",
  logOverride: { "css-syntax-error": "silent" }, // a rule of the design system for one old browser
  plugins: [outsideGovernment],
});
const built = Object.keys(metafile.outputs).map((path) => basename(path));
for (const file of built) {
  const content = await readFile(`${target}assets/${file}`);
  await writeFile(`${target}assets/${file}.br`, brotliCompressSync(content));
  await writeFile(`${target}assets/${file}.gz`, gzipSync(content, { level: 9 }));
}
const name = (start, end) => `assets/${built.find((file) => file.startsWith(`${start}-`) && file.endsWith(end))}`;
const page = await readFile(`${source}src/index.html`, "utf-8");
await writeFile(`${target}index.html`, page.replace("{style}", name("style", ".css")).replace("{desk}", name("desk", ".js")).replace("{worker}", name("worker", ".js")));
