// Items of a label tree on a score axis: same class, same group, stranger. AP reads the class alone; H-AP and NDCG see what a
// mistake shares with the query.
import { fixed, metricText } from "../core/elements.js";
import { logSlider, tiles } from "../core/controls.js";
import { averagePrecision, hierarchicalAP, hierarchicalRelevance, ndcg } from "../shared/metrics.js";
import { rankingFigure, showAP, showNDCG } from "../shared/ranking.js";

function build({ root, set }) {
  const showAlpha = logSlider(root, { label: "exponent \u03b1", min: 0.25, max: 4, change: (alpha) => set({ alpha }) });
  const [ap, hap, gains] = tiles(root, ["AP (class)", "H-AP", "NDCG"], { bars: 3 });

  return function show({ scores, levels, ranks, alpha }) {
    const relevance = hierarchicalRelevance(levels, alpha), same = levels.map((level) => Number(level === 2));
    const values = {
      relevance,
      average_precision: averagePrecision(scores, same),
      hierarchical_ap: hierarchicalAP(scores, relevance),
      ndcg: ndcg(scores, levels),
    };
    const total = relevance.reduce((sum, rel) => sum + rel, 0), h = values.hierarchical_ap;
    showAlpha(alpha);
    showAP(ap, values.average_precision, scores, same, "needs an item of the class");
    if (h === null) hap.show(null, "needs a relevant item");
    else hap.show(fixed(h, 3), `${fixed(h * total, 3)} of \u03a3 rel = ${fixed(total, 3)}`, h);
    showNDCG(gains, values.ndcg, ranks, levels);
    const shares = relevance.map((rel) => (rel ? fixed(rel, 2).replace(/^0/, "") : "0"));
    const summary = `AP ${metricText(values.average_precision)}, H-AP ${metricText(h)}, NDCG ${metricText(values.ndcg)}`;
    return { values, summary, rows: [["rank", ranks, "rb-rank"], ["rel", shares, "rb-tick"]] };
  };
}

export default rankingFigure({
  label: "Items of a label tree, their ranking, and three metrics",
  labels: "levels", kinds: [["irrelevant", "stranger"], ["half", "same group"], ["relevant", "same class"]], traits: ["alpha"],
  hint: "Drag an item. Double-click or Enter changes its level.",
  build,
});
