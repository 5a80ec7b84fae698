// Starts the map from the blocks inside the page: the library and its worker become Blob URLs, so that nothing is fetched.

import { unpack } from "./unpack";

async function scriptUrl(id: string): Promise<string> {
  return URL.createObjectURL(new Blob([await unpack(id)], { type: "text/javascript" }));
}

async function boot(): Promise<void> {
  const app = (await import(await scriptUrl("app"))) as typeof import("./app");
  await app.start(await scriptUrl("worker"));
}

boot().catch((error: unknown) => {
  const message = document.getElementById("map-message")!;
  message.textContent = `The map can't be drawn in this browser: ${String(error)}. The tables on this page hold the plan.`;
  message.hidden = false;
});
