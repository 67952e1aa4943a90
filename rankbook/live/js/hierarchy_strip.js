// Items of a label tree on a score axis: same class, same group, stranger. AP reads the class alone; H-AP and NDCG see what a
// mistake shares with the query.
import { averagePrecision, dcg, exactRanks, hierarchicalAP, hierarchicalRelevance, hierarchicalTerms, ndcg, precisionTerms } from "./math.js";
import { SLOTS, itemHandles, ranking, replaced, scoreAxis } from "./strip.js";
import { figure, fixed, html, legendEntry, linear, logSlider, panel, svg, text, tile, tiles } from "./ui.js";

const SIDE = 28;          // room beside the axis for half a handle, and for the names of the rows
const RANKS = SLOTS + 34;
const RELEVANCES = RANKS + 24;
const HEIGHT = RELEVANCES + 12;
const LOOKS = ["irrelevant", "half", "relevant"];
const WORDS = ["stranger", "same group", "same class"];

// Left half one color, right half another; in the box of whatever is painted with it.
function halves(picture, id, left, right) {
  const gradient = svg(picture, "linearGradient", { id });
  [[left, 0.5], [right, 0.5]].forEach(([cls, offset]) => svg(gradient, "stop", { class: cls, offset }));
}

function build({ root, legend, get, set }) {
  [2, 1, 0].forEach((level) => legendEntry(legend, `rb-dot rb-${LOOKS[level]}`, WORDS[level]));
  html(legend, "span", { class: "rb-hint" }, "Drag an item. Double-click or Enter changes its level.");

  const plot = panel(root);
  const showAlpha = logSlider(root, { label: "exponent \u03b1", min: 0.25, max: 4, change: (alpha) => set({ alpha }) });
  const row = tiles(root, 3);
  const ap = tile(row, "AP (class)", { bar: true });
  const hap = tile(row, "H-AP", { bar: true });
  const gains = tile(row, "NDCG", { bar: true });

  const count = () => Math.min(get("scores").length, get("levels").length);
  let x = linear(0, 1, 0, 1);
  let active = null;
  const handles = itemHandles(plot.box, {
    get, set, scale: () => x, taken: (i) => { active = i; },
    activate: (i) => set({ levels: replaced(get("levels"), i, (get("levels")[i] + 2) % 3) }),
  });

  return function draw(width) {
    const n = count(), items = handles(n), alpha = get("alpha");
    const scores = get("scores").slice(0, n), levels = get("levels").slice(0, n);
    x = linear(0, 1, SIDE, width - SIDE);
    const ranks = exactRanks(scores);
    const relevance = hierarchicalRelevance(levels, alpha);
    const picture = plot.clear(width, HEIGHT);
    halves(picture, "rb-half-disc", "rb-stop-full", "rb-stop-hollow");
    halves(picture, "rb-half-letter", "rb-stop-on", "rb-stop-ink");

    scoreAxis(picture, x);
    const step = (width - 2 * SIDE) / n;
    text(picture, 0, RANKS, "rank", "rb-muted", "start");
    text(picture, 0, RELEVANCES, "rel", "rb-muted", "start");
    ranking(picture, {
      x, scores, items, active, step,
      looks: levels.map((level) => LOOKS[level]),
      spoken: ranks.map((rank, i) => `rank ${rank}, ${WORDS[levels[i]]}, relevance ${fixed(relevance[i], 2)}`),
      below(i, to) {
        text(picture, to, RANKS, String(ranks[i]), "rb-rank");
        if (step > 28) text(picture, to, RELEVANCES, levels[i] ? fixed(relevance[i], 2).replace(/^0/, "") : "0", "rb-tick");
      },
    });

    const same = levels.map((level) => Number(level === 2));
    const values = {
      scores, levels, alpha, ranks, relevance,
      average_precision: averagePrecision(scores, same),
      hierarchical_ap: hierarchicalAP(scores, relevance),
      ndcg: ndcg(scores, levels),
    };
    showAlpha(alpha);
    const undefinedTile = (t, needs) => t.show("\u2013", needs);
    const terms = precisionTerms(scores, same).sort((a, b) => a.rank - b.rank);
    if (terms.length) {
      const sum = terms.map((t) => `${t.among}/${t.rank}`).join(" + ");
      ap.show(fixed(values.average_precision, 3), terms.length === 1 ? sum : `(${sum}) / ${terms.length}`, values.average_precision);
    } else undefinedTile(ap, "needs an item of the class");
    if (values.hierarchical_ap === null) [hap, gains].forEach((t) => undefinedTile(t, "needs a relevant item"));
    else {
      const got = hierarchicalTerms(scores, relevance).reduce((sum, t) => sum + t.hrank / t.rank, 0);
      hap.show(fixed(values.hierarchical_ap, 3), `${fixed(got, 3)} of \u03a3 rel = ${fixed(got / values.hierarchical_ap, 3)}`, values.hierarchical_ap);
      const found = dcg(ranks, levels);
      gains.show(fixed(values.ndcg, 3), `DCG ${fixed(found, 2)} / best ${fixed(found / values.ndcg, 2)}`, values.ndcg);
    }
    const spoken = (value) => (value === null ? "undefined" : fixed(value, 3));
    return {
      values,
      summary: `AP ${spoken(values.average_precision)}, H-AP ${spoken(values.hierarchical_ap)}, NDCG ${spoken(values.ndcg)}`,
    };
  };
}

export default figure({ label: "Items of a label tree, their ranking, and three metrics", traits: ["scores", "levels", "alpha"], build });
