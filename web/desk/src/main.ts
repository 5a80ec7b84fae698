// Which page the address asks for.

import { prepareMap } from "../../map/src/map";
import { workerUrl } from "./map_section";
import { casePage } from "./pages/case";
import { comparePage } from "./pages/compare";
import { frontierPage } from "./pages/frontier";
import { futuresPage } from "./pages/futures";
import { planPage } from "./pages/plan";
import { runPage } from "./pages/run";
import { signInPage } from "./pages/sign_in";
import { startPage } from "./pages/start";
import { ServiceError, signedIn, signOut } from "./service";
import { param } from "./state";
import { button, showError } from "./ui";

async function open(): Promise<void> {
  const [run, plan, other, ofCase] = ["run", "plan", "with", "case"].map(param);
  if (run) return runPage(run);
  if (plan && param("page") === "frontier") return frontierPage(plan);
  if (plan && param("page") === "futures") return futuresPage(plan);
  if (plan || ofCase) prepareMap(workerUrl());
  if (plan && other) return comparePage(plan, other);
  if (plan) return planPage(plan);
  if (ofCase) return casePage(ofCase);
  return startPage();
}

/** A way out for who signed in, in the header. */
function offerSignOut(): void {
  if (!signedIn()) return;
  const leave = () => {
    signOut();
    location.assign("./");
  };
  document.querySelector(".desk-header p")!.append(button("Sign out", leave, "secondary"));
}

open()
  .then(offerSignOut)
  .catch((error: unknown) => {
    if (error instanceof ServiceError && error.status === 401) return signInPage();
    document.getElementById("waiting")?.remove();
    showError(error);
  })
  .finally(() => (document.documentElement.dataset.open = "true"));
