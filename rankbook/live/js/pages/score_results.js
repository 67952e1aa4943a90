// What a reader's lists measure: tables, a picture of the queries, the temperature that the reader moves, and the report to take away.
import { button, logSlider } from "../core/controls.js";
import { html } from "../core/elements.js";
import { lossesOf } from "../shared/ranker_losses.js";
import { csv, lossSection, markdown, sectionsOf, summaryOf, temperatureSection } from "../shared/score_report.js";
import { querySpread } from "./query_spread.js";
import { section, tableOf } from "./score_tables.js";

const PAUSE = 250;  // ms after the last move of the temperature

function download(name, text, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// A page from file:// or plain http may have no clipboard of its own.
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = html(document.body, "textarea", { "aria-hidden": "true" });
    area.value = text;
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

const byKey = (state) => Object.fromEntries(sectionsOf(state).map((one) => [one.key, one]));

function showQueries(parent, state) {
  const box = html(parent, "section", { class: "rb-part" });
  html(box, "h2", {}, "Query by query");
  const metric = html(html(box, "label", {}, "Metric "), "select"), inside = html(box, "div");
  state.report.metrics.forEach(({ name }, m) => html(metric, "option", { value: m }, name));
  const draw = () => {
    state.metric = Number(metric.value);
    inside.replaceChildren();
    const { spread, losers } = byKey(state), picture = html(inside, "div"), below = html(inside, "div", { class: "rb-parts" });
    if (!losers) return html(picture, "p", {}, spread.text);
    const view = querySpread(picture, html(below, "div"), state.report, state.metric);
    return section(below, losers, (r) => view.pick(losers.rows[r][0]));
  };
  metric.addEventListener("change", draw);
  draw();
}

function showTemperature(parent, state, work) {
  const { title, text } = temperatureSection(state), box = section(parent, { title, text, rows: [] }), slide = html(box, "div");
  const halves = html(box, "div", { class: "rb-parts" }), pairs = html(halves, "div"), losses = html(halves, "div");
  const [min, max] = [state.heat.spread / 300, state.heat.spread * 30].map((end) => Number(end.toPrecision(3)));
  let waiting;
  const move = logSlider(slide, { label: "\u03c4", min, max, change(tau) {
    Object.assign(state, { tau, losses: null });  // of another temperature
    draw();
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const found = await work(lossesOf(state.near, tau));
      if (!found || state.tau !== tau) return;
      state.losses = found;
      drawLosses();
    }, PAUSE);
  } });
  const draw = () => {
    move(state.tau);
    pairs.replaceChildren();
    tableOf(pairs, temperatureSection(state), title);
  };
  const drawLosses = () => {
    losses.replaceChildren();
    section(losses, lossSection(state));
  };
  draw();
  drawLosses();
}

// Fills `results` and returns a summary of them; `work` runs a generator without holding the page, `say` is heard by all.
export function showResults(results, state, { work, say }) {
  const box = document.createElement("div"), parts = byKey(state), summary = (state.name ? `This is ${state.name}. ` : "") + summaryOf(state);
  results.replaceChildren(box);
  const away = html(box, "div", { class: "rb-actions" });
  button(away, "Copy the report", async () => {
    await copy(markdown(summary, sectionsOf(state)));
    say("The report is copied.");
  });
  button(away, "Download .md", () => download("your_scores.md", markdown(summary, sectionsOf(state)), "text/markdown"));
  button(away, "Download .csv", () => download("your_scores.csv", csv(summary, sectionsOf(state)), "text/csv"));
  const halves = html(box, "div", { class: "rb-parts" });
  [["whole", "cut", "conventions"], ["ties"]].forEach((keys) => {
    const half = html(halves, "div");
    keys.forEach((key) => section(half, parts[key]));
  });
  showQueries(box, state);
  if (state.tau > 0) showTemperature(box, state, work);
  else section(box, { title: "Temperature", text: "The scores of each list are all equal, or too far apart for a temperature.", rows: [] });
  // a table that does not fit scrolls, also by keyboard
  [...box.querySelectorAll(".rb-wide")].filter((wide) => wide.scrollWidth > wide.clientWidth).forEach((wide) => { wide.tabIndex = 0; });
  return summary;
}
