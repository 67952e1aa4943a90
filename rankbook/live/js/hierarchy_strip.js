// Items of a label tree on a score axis: same class, same group, stranger. AP reads the class alone; H-AP and NDCG see what a
// mistake shares with the query.
import { averagePrecision, dcg, exactRanks, hierarchicalAP, hierarchicalRelevance, hierarchicalTerms, ndcg, precisionTerms } from "./math.js";
import { LANE, lanes, letter } from "./strip.js";
import { clamp, figure, fixed, handle, html, legendEntry, line, linear, logSlider, panel, svg, text, tile, tiles } from "./ui.js";

const SIDE = 28;          // room beside the axis for half a handle, and for the names of the rows
const TOP = 48;           // title and tick labels
const LANES = 2;          // rows above the axis before items start to overlap
const AXIS = TOP + LANES * LANE;
const SLOTS = AXIS + 96;  // the ranking
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
  let items = [];
  const replaced = (name, i, value) => get(name).map((old, j) => (j === i ? value : old));

  function makeItem(i) {
    return handle(plot.box, {
      label: `item ${letter(i)}`, min: 0, max: 1, face: letter(i),
      scale: () => x,
      value: () => get("scores")[i],
      nudge: (value, steps) => value + steps / 100,
      change: (value) => { active = i; set({ scores: replaced("scores", i, Math.round(value * 100) / 100) }); },
      activate: () => set({ levels: replaced("levels", i, (get("levels")[i] + 2) % 3) }),
    });
  }

  return function draw(width) {
    const n = count(), alpha = get("alpha");
    const scores = get("scores").slice(0, n), levels = get("levels").slice(0, n);
    if (items.length !== n) {
      items.forEach((item) => item.knob.remove());
      items = scores.map((_, i) => makeItem(i));
      active = null;
    }
    x = linear(0, 1, SIDE, width - SIDE);
    const ranks = exactRanks(scores);
    const relevance = hierarchicalRelevance(levels, alpha);
    const picture = plot.clear(width, HEIGHT);
    halves(picture, "rb-half-disc", "rb-stop-full", "rb-stop-hollow");
    halves(picture, "rb-half-letter", "rb-stop-on", "rb-stop-ink");

    // The score axis.
    text(picture, 0, 12, "score", "rb-muted", "start");
    [0, 0.2, 0.4, 0.6, 0.8, 1].forEach((tick) => {
      line(picture, x(tick), TOP - 8, x(tick), AXIS, "rb-grid");
      text(picture, x(tick), TOP - 16, fixed(tick, 1), "rb-tick");
    });
    line(picture, SIDE, AXIS, width - SIDE, AXIS, "rb-axis");

    // The ranking: one slot each, the best at the right, below the highest score.
    const step = (width - 2 * SIDE) / n;
    text(picture, 0, RANKS, "rank", "rb-muted", "start");
    text(picture, 0, RELEVANCES, "rel", "rb-muted", "start");
    const lane = lanes(scores, x, active);
    const pitch = Math.min(LANE, (LANES * LANE) / Math.max(1, ...lane));
    const radius = clamp(step / 2 - 3, 6, 13);
    const order = scores.map((_, i) => i).sort((a, b) => scores[b] - scores[a] || a - b);
    order.forEach((i, place) => {
      const look = `rb-${LOOKS[levels[i]]}`;
      const from = x(scores[i]), to = width - SIDE - (place + 0.5) * step, middle = (AXIS + SLOTS) / 2;
      const strong = i === active ? " rb-active" : "";
      if (lane[i]) line(picture, from, AXIS - lane[i] * pitch, from, AXIS, `rb-link ${look}${strong}`);
      svg(picture, "path", { d: `M${from},${AXIS}C${from},${middle} ${to},${middle} ${to},${SLOTS - radius}`, class: `rb-link ${look}${strong}` });
      svg(picture, "circle", { cx: to, cy: SLOTS, r: radius, class: `rb-mark ${look}` });
      if (radius > 9) text(picture, to, SLOTS + 4.5, letter(i), `rb-letter ${look}`);
      text(picture, to, RANKS, String(ranks[i]), "rb-rank");
      if (step > 28) text(picture, to, RELEVANCES, levels[i] ? fixed(relevance[i], 2).replace(/^0/, "") : "0", "rb-tick");
      items[i].place(from, AXIS - lane[i] * pitch, {
        now: scores[i], shown: fixed(scores[i], 2), cls: LOOKS[levels[i]],
        spoken: `score ${fixed(scores[i], 2)}, rank ${ranks[i]}, ${WORDS[levels[i]]}, relevance ${fixed(relevance[i], 2)}`,
      });
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
