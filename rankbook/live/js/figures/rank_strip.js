// Items on a score axis above, the ranking below: only the order of the marks reaches the metrics.
import { fixed, metricText } from "../core/elements.js";
import { tiles } from "../core/controls.js";
import { averagePrecision, ndcg, positives, recallAtK } from "../shared/metrics.js";
import { cutoff, cutoffStepper, rankingFigure, showAP, showNDCG } from "../shared/ranking.js";

function build({ root, get, set }) {
  const [ap, recall, gains] = tiles(root, ["AP", "", "NDCG"], { bars: 3 });
  cutoffStepper(recall.head, { get, set });

  return function show({ scores, relevance, ranks, k: wanted }) {
    const k = cutoff(wanted, scores.length), total = positives(relevance).length;
    const values = {
      k,
      average_precision: averagePrecision(scores, relevance),
      recall_at_k: recallAtK(scores, relevance, k),
      ndcg: ndcg(scores, relevance),
    };
    showAP(ap, values.average_precision, scores, relevance, "needs a relevant item");
    recall.rename(`recall@${k}`);
    if (total) recall.show(fixed(values.recall_at_k, 3), `${Math.round(values.recall_at_k * total)} of ${total} relevant items`, values.recall_at_k);
    else recall.show(null, "needs a relevant item");
    showNDCG(gains, values.ndcg, ranks, relevance);
    const summary = `AP ${metricText(values.average_precision)}, recall at ${k} ${metricText(values.recall_at_k)}, NDCG ${metricText(values.ndcg)}`;
    return { values, summary, rows: [["rank", ranks, "rb-rank"]], top: k };
  };
}

export default rankingFigure({
  label: "Scores, their ranking, and its metrics",
  labels: "relevance", kinds: [["irrelevant", "irrelevant"], ["relevant", "relevant"]], traits: ["k"],
  hint: "Drag an item. Double-click or Enter switches its relevance.",
  build,
});
