// Models give scores to the same items: what seven metrics say of the list, and against the first model.
import { choices, tiles } from "../core/controls.js";
import { fixed, html, metricText } from "../core/elements.js";
import { line, panel, point } from "../core/marks.js";
import { BOARD, metricRows } from "../shared/board.js";
import { cutoff, cutoffStepper, rankingFigure } from "../shared/ranking.js";
import { SEVEN, measured } from "../shared/seven.js";

const MOVES = [["same", "="], ["up", "\u25b2"], ["down", "\u25bc"]];

function build({ root, get, set }) {
  const models = get("models"), first = models[0][1];
  const row = html(root, "div", { class: "rb-feed", style: "margin-bottom: 12px" });
  root.querySelector(".rb-panel").before(row);
  const showModel = choices(row, {
    label: "The scores of", names: Object.fromEntries(models.map(([name]) => [name, name])),
    change: (wanted) => set({ scores: models.find(([name]) => name === wanted)[1] }),
  });
  const cut = html(row, "span", {});
  const shownCut = html(cut, "span", { class: "rb-hint" });
  cutoffStepper(cut, { get, set });
  const plot = panel(root);
  const counts = tiles(root, ["Better on", "Worse on", "The same on"]);

  return function show({ scores, relevance, ranks, k: wanted, width }) {
    const k = cutoff(wanted, scores.length);
    const now = measured(scores, relevance, k), before = measured(first, relevance, k);
    const change = (metric) => (Math.abs(now[metric] - before[metric]) < 1e-12 ? 0 : now[metric] - before[metric]);
    const changes = now ? SEVEN.map(change) : null;
    shownCut.textContent = `k = ${k} `;
    showModel(models.find(([, its]) => its.every((s, i) => s === scores[i]))?.[0]);
    metricRows(plot.clear(width, BOARD), width, 0, k, (metric, x, y) => {
      if (!now) return ["undefined", "rb-muted"];
      line(plot.box.firstChild, x(0), y, x(now[metric]), y, "rb-push rb-relevant");
      point(plot.box.firstChild, x(now[metric]), y, "exact", 4.5);
      line(plot.box.firstChild, x(before[metric]), y - 9, x(before[metric]), y + 9, "rb-guide");
      const moved = change(metric), sign = MOVES.at(Math.sign(moved))[1];
      return [`${fixed(now[metric], 3)}  ${sign}${moved ? ` ${fixed(Math.abs(moved), 3)}` : ""}`, moved ? "rb-rank" : "rb-flat"];
    });
    const counted = [(c) => c > 0, (c) => c < 0, (c) => c === 0].map((kind) => changes?.filter(kind).length ?? null);
    counts.forEach((tile, i) => tile.show(counted[i] === null ? null : String(counted[i]), "of 7 metrics"));
    const values = { k, changes, ...Object.fromEntries(SEVEN.map((metric) => [metric, now ? now[metric] : null])) };
    const summary = `AP ${metricText(values.average_precision)}. Against ${models[0][0]} ${counted[0]} metrics are better, ${counted[1]} worse, ${counted[2]} the same`;
    return { values, summary: now ? summary : "No item is relevant: the metrics are undefined", rows: [["rank", ranks, "rb-rank"]], top: k };
  };
}

export default rankingFigure({
  label: "Seven metrics of one list, and of other models' lists",
  labels: "relevance", kinds: [["irrelevant", "irrelevant"], ["relevant", "relevant"]], traits: ["k"],
  hint: "Choose a model, or drag an item.",
  build,
});
