// Items of a label tree on a score axis, judged level by level: two APs, their weighted mean, and the intersection with the ideal order.
import { slider, tiles } from "../core/controls.js";
import { fixed, metricText } from "../core/elements.js";
import { averagePrecision, worstOrder } from "../shared/metrics.js";
import { rankingFigure } from "../shared/ranking.js";

// The share of the ideal top n that stands in the top n, grade by grade, for each n up to the number of positives.
function setIntersections(scores, levels) {
  const ranks = worstOrder(scores, levels), ideal = levels.filter(Boolean).sort((a, b) => b - a), grades = [...new Set(ideal)];
  return ideal.map((_, d) => grades.reduce((sum, grade) => {
    const found = levels.filter((level, i) => level === grade && ranks[i] <= d + 1).length;
    return sum + Math.min(found, ideal.slice(0, d + 1).filter((level) => level === grade).length);
  }, 0) / (d + 1));
}

// The mean of the APs that the list has; nothing if they weigh nothing.
function weighted(pairs) {
  const known = pairs.filter(([share, ap]) => ap !== null && share > 0), total = known.reduce((sum, [share]) => sum + share, 0);
  return total > 0 ? known.reduce((sum, [share, ap]) => sum + share * ap, 0) / total : null;
}

function build({ root, set }) {
  const showWeight = slider(root, { label: "weight of the class", min: 0, max: 1, step: 0.05, change: (weight) => set({ weight }), shown: (value) => fixed(value, 2) });
  const shown = tiles(root, ["AP (class)", "AP (group)", "H-AP, weighted", "ASI"], { bars: 4 });

  return function show({ scores, levels, ranks, weight }) {
    const cls = averagePrecision(scores, levels.map((level) => Number(level === 2))), group = averagePrecision(scores, levels);
    const parts = setIntersections(scores, levels), mean = weighted([[weight, cls], [1 - weight, group]]);
    const values = { class_ap: cls, group_ap: group, weighted_ap: mean, asi: parts.length ? parts.reduce((sum, part) => sum + part, 0) / parts.length : null };
    showWeight(weight);
    const notes = [`weighs ${fixed(weight, 2)}`, `weighs ${fixed(1 - weight, 2)}`, "the mean of the two", `mean over the top 1 to ${parts.length}`];
    Object.values(values).forEach((value, i) => shown[i].show(value === null ? null : fixed(value, 3), value === null ? "needs an item of it" : notes[i], value ?? 0));
    const [one, two, three, four] = Object.values(values).map(metricText);
    return { values, summary: `AP of the class ${one}, of the group ${two}, H-AP ${three}, ASI ${four}`, rows: [["rank", ranks, "rb-rank"]] };
  };
}

export default rankingFigure({
  label: "Items of a label tree, judged level by level",
  labels: "levels", kinds: [["irrelevant", "stranger"], ["half", "same group"], ["relevant", "same class"]], traits: ["weight"],
  hint: "Drag an item. Double-click or Enter changes its level.",
  build,
});
