// Which page the address asks for.

import { prepareMap } from "../../map/src/map";
import { workerUrl } from "./map_section";
import { casePage } from "./pages/case";
import { comparePage } from "./pages/compare";
import { frontierPage } from "./pages/frontier";
import { planPage } from "./pages/plan";
import { runPage } from "./pages/run";
import { signInPage } from "./pages/sign_in";
import { startPage } from "./pages/start";
import { ServiceError } from "./service";
import { param } from "./state";
import { showError } from "./ui";

async function open(): Promise<void> {
  const [run, plan, other, ofCase] = ["run", "plan", "with", "case"].map(param);
  if (run) return runPage(run);
  if (plan || ofCase) prepareMap(workerUrl());
  if (plan && other) return comparePage(plan, other);
  if (plan && param("page") === "frontier") return frontierPage(plan);
  if (plan) return planPage(plan);
  if (ofCase) return casePage(ofCase);
  return startPage();
}

open()
  .catch((error: unknown) => {
    if (error instanceof ServiceError && error.status === 401) return signInPage(error.message);
    document.getElementById("waiting")?.remove();
    showError(error);
  })
  .finally(() => (document.documentElement.dataset.open = "true"));
