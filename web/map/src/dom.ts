// The few helpers the page needs to build elements; text is always set as text, never as markup.

type Child = Node | string;

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** A table of a caption, headings and rows; the first cell of a row is its heading. */
export function table(caption: string, headings: string[], rows: Child[][]): HTMLTableElement {
  const cell = (tag: "th" | "td", scope: string, content: Child, numeric: boolean) =>
    element(tag, { ...(scope ? { scope } : {}), ...(numeric ? { class: "number" } : {}) }, content);
  return element(
    "table",
    {},
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...headings.map((text, i) => cell("th", "col", text, i > 0)))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((text, i) => cell(i ? "td" : "th", i ? "" : "row", text, i > 0))))),
  );
}

/** Sorts a table by the column of the button that was pressed; a second press turns the order round. */
export function makeSortable(sorted: HTMLTableElement): void {
  const headings = [...sorted.querySelectorAll<HTMLTableCellElement>("thead th")];
  headings.forEach((heading, column) => {
    heading.querySelector("button")?.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = sorted.tBodies[0];
      const key = (row: HTMLTableRowElement) => row.cells[column].dataset.value ?? row.cells[column].textContent ?? "";
      const rows = [...body.rows].sort((a, b) => key(a).localeCompare(key(b), "en-GB", { numeric: true }));
      body.append(...(down ? rows.reverse() : rows));
    });
  });
}
