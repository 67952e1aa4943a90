// Items on a score axis above, the ranking below: only the order of the marks reaches the metrics.
import { averagePrecision, dcg, exactRanks, ndcg, precisionTerms, recallAtK } from "./math.js";
import { clamp, figure, fixed, html, legendEntry, linear, panel, svg, text, tile, tiles } from "./ui.js";
import { SLOTS, itemHandles, ranking, scoreAxis, switchRelevance } from "./strip.js";

const SIDE = 24;          // room beside the axis for half a handle
const HEIGHT = SLOTS + 62;

function build({ root, legend, get, set }) {
  legendEntry(legend, "rb-dot rb-relevant", "relevant");
  legendEntry(legend, "rb-dot rb-irrelevant", "irrelevant");
  html(legend, "span", { class: "rb-hint" }, "Drag an item. Double-click or Enter switches its relevance.");

  const plot = panel(root);
  const row = tiles(root, 3);
  const ap = tile(row, "AP", { bar: true });
  const recall = tile(row, "", { bar: true });
  const gains = tile(row, "NDCG", { bar: true });

  const count = () => Math.min(get("scores").length, get("relevance").length);
  const cutoff = () => clamp(get("k"), 1, count());
  const stepper = html(recall.head, "span", { class: "rb-stepper" });
  [["\u2212", -1, "Smaller k"], ["+", 1, "Larger k"]].forEach(([sign, step, name]) => {
    const button = html(stepper, "button", { type: "button", class: "rb-button", "aria-label": name }, sign);
    button.addEventListener("click", () => set({ k: clamp(cutoff() + step, 1, count()) }));
  });

  let x = linear(0, 1, 0, 1);
  let active = null;
  const handles = itemHandles(plot.box, { get, set, scale: () => x, activate: switchRelevance({ get, set }), taken: (i) => { active = i; } });

  return function draw(width) {
    const n = count(), items = handles(n);
    const scores = get("scores").slice(0, n), relevance = get("relevance").slice(0, n), k = cutoff();
    x = linear(0, 1, SIDE, width - SIDE);
    const ranks = exactRanks(scores);
    const picture = plot.clear(width, HEIGHT);

    scoreAxis(picture, x);

    const step = (width - 2 * SIDE) / n;
    const inTop = ranks.filter((rank) => rank <= k).length;
    if (inTop) {
      svg(picture, "rect", { x: width - SIDE - inTop * step, y: SLOTS - 22, width: inTop * step, height: 56, rx: 10, class: "rb-band" });
      text(picture, width - SIDE - (inTop * step) / 2, SLOTS + 51, `top ${k}`, "rb-muted");
    }
    text(picture, 0, SLOTS + 51, "rank", "rb-muted", "start");

    ranking(picture, {
      x, scores, items, active, step,
      looks: relevance.map((rel) => (rel ? "relevant" : "irrelevant")),
      spoken: ranks.map((rank, i) => `rank ${rank}, ${relevance[i] ? "relevant" : "irrelevant"}`),
      below: (i, to) => text(picture, to, SLOTS + 29, String(ranks[i]), "rb-rank"),
    });

    const values = {
      scores, relevance, ranks, k,
      average_precision: averagePrecision(scores, relevance),
      recall_at_k: recallAtK(scores, relevance, k),
      ndcg: ndcg(scores, relevance),
    };
    const terms = precisionTerms(scores, relevance).sort((a, b) => a.rank - b.rank);
    const total = terms.length;
    recall.rename(`R@${k}`);
    if (total) {
      const sum = terms.map((t) => `${t.among}/${t.rank}`).join(" + ");
      ap.show(fixed(values.average_precision, 3), total === 1 ? sum : `(${sum}) / ${total}`, values.average_precision);
      recall.show(fixed(values.recall_at_k, 3), `${Math.round(values.recall_at_k * total)} of ${total} relevant items`, values.recall_at_k);
      const found = dcg(ranks, relevance);
      gains.show(fixed(values.ndcg, 3), `DCG ${fixed(found, 2)} / best ${fixed(found / values.ndcg, 2)}`, values.ndcg);
    } else {
      [ap, recall, gains].forEach((t) => t.show("\u2013", "needs a relevant item"));
    }
    const spoken = (value) => (value === null ? "undefined" : fixed(value, 3));
    return {
      values,
      summary: `AP ${spoken(values.average_precision)}, recall at ${k} ${spoken(values.recall_at_k)}, NDCG ${spoken(values.ndcg)}`,
    };
  };
}

export default figure({ label: "Scores, their ranking, and its metrics", traits: ["scores", "relevance", "k"], build });
