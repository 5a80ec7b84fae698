// Cases to work on: choose one, make the fictional one, or upload.

import type { CaseBody } from "../resources";
import { list, post, send } from "../service";
import { go, href } from "../state";
import { bullets, button, element, field, heading, link, paragraph, show, table } from "../ui";
import { count, day, pounds } from "../words";

export async function startPage(): Promise<void> {
  const cases = await list<CaseBody>("cases");
  const waiting = element("p", { class: "govuk-body", role: "status" });
  const make = (builtin: string, words: string) =>
    button(
      words,
      async () => {
        waiting.textContent = "Making the case. The fictional region takes about ten seconds.";
        const made = await post<CaseBody>("cases", { builtin }).finally(() => (waiting.textContent = ""));
        go({ case: made.id });
      },
      cases.length ? "secondary" : "",
    );
  const file = element("input", { id: "file", class: "govuk-file-upload", type: "file", accept: ".zip,application/zip" });
  const upload = button(
    "Upload",
    async () => {
      if (!file.files?.length) throw new Error("Choose the zip of a case folder first.");
      waiting.textContent = "Uploading and checking the case.";
      const form = new FormData();
      form.append("file", file.files[0]);
      const made = await send<CaseBody>("cases", form).finally(() => (waiting.textContent = ""));
      go({ case: made.id });
    },
    "secondary",
  );
  show(
    "Cases",
    [],
    heading(1, "Which places should the capital programme buy, where, of what kind and when?"),
    paragraph("A case holds one region's need, places, journeys, money and candidate projects. Choose a case to see it and to plan it."),
    heading(2, "Cases"),
    cases.length ? casesTable(cases) : paragraph("There is no case yet. Make one of the examples below, or upload your own."),
    heading(2, "Make or bring a case"),
    bullets([
      "The fictional region has three invented councils and 80 candidate projects. Its plan takes about two minutes.",
      "The tiny case has two areas and two candidate projects. Its plan takes seconds.",
    ]),
    element("div", { class: "govuk-button-group" }, make("fictional", "Make the fictional region"), make("tiny", "Make the tiny case")),
    waiting,
    field("Upload a case", file, "One zip of a case folder, as the command sufficiency case build writes it."),
    upload,
  );
}

const casesTable = (cases: CaseBody[]): HTMLElement =>
  table(
    count(cases.length, "case"),
    ["Case", "Councils", "Planning years", "Capital", "Data", "Added"],
    cases.map((one) => [
      link(href({ case: one.id }), one.name),
      one.councils.length > 4 ? count(one.councils.length, "council") : one.councils.map(({ name }) => name).join(", "),
      `${one.academic_years[0]} to ${one.academic_years.at(-1)}`,
      pounds(one.capital_gbp),
      one.disclosure === "open" ? "published data only" : "protected",
      day(one.created_at),
    ]),
    [1, 2, 4, 5],
  );
