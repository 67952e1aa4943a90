// Tables of the reader's results.
import { html } from "../core/elements.js";
import { shown } from "../shared/score_report.js";

// `name` says to a screen reader what it is; `press(row)` makes a button of the first cell of each row.
export function tableOf(parent, { head, rows, counts = [] }, name, press) {
  if (!rows.length) return;
  const table = html(html(parent, "div", { class: "rb-wide" }), "table", { class: "table rb-table", "aria-label": name });
  const top = html(html(table, "thead"), "tr"), body = html(table, "tbody");
  head.forEach((word, c) => html(top, "th", { scope: "col", class: c ? "rb-right" : "" }, word));
  rows.forEach((cells, r) => {
    const row = html(body, "tr");
    cells.forEach((value, c) => {
      const cell = c ? html(row, "td", { class: "rb-right" }) : html(row, "th", { scope: "row" });
      if (!c && press) html(cell, "button", { type: "button", class: "rb-word", title: "See its list" }, value).addEventListener("click", () => press(r));
      else cell.textContent = shown(value, counts.includes(c));
    });
  });
}

export function section(parent, part, press) {
  const box = html(parent, "section", { class: "rb-part" });
  html(box, "h2", {}, part.title);
  if (part.text) html(box, "p", {}, part.text);
  tableOf(box, part, part.title, press);
  return box;
}
