// Items on a score axis above, the ranking below: only the order of the marks reaches the metrics.
import { averagePrecision, dcg, exactRanks, ndcg, precisionTerms, recallAtK } from "./math.js";
import { clamp, figure, fixed, handle, html, legendEntry, line, linear, panel, svg, text, tile, tiles } from "./ui.js";
import { LANE, lanes, letter } from "./strip.js";

const SIDE = 24;          // room beside the axis for half a handle
const TOP = 48;           // title and tick labels
const LANES = 2;          // rows above the axis before items start to overlap
const AXIS = TOP + LANES * LANE;
const SLOTS = AXIS + 96;  // the ranking
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
  let items = [];
  const replaced = (name, i, value) => get(name).map((old, j) => (j === i ? value : old));

  function makeItem(i) {
    return handle(plot.box, {
      label: `item ${letter(i)}`, min: 0, max: 1, face: letter(i),
      scale: () => x,
      value: () => get("scores")[i],
      nudge: (value, steps) => value + steps / 100,
      change: (value) => { active = i; set({ scores: replaced("scores", i, Math.round(value * 100) / 100) }); },
      activate: () => set({ relevance: replaced("relevance", i, get("relevance")[i] ? 0 : 1) }),
    });
  }

  return function draw(width) {
    const n = count();
    const scores = get("scores").slice(0, n), relevance = get("relevance").slice(0, n), k = cutoff();
    if (items.length !== n) {
      items.forEach((item) => item.knob.remove());
      items = scores.map((_, i) => makeItem(i));
      active = null;
    }
    x = linear(0, 1, SIDE, width - SIDE);
    const ranks = exactRanks(scores);
    const picture = plot.clear(width, HEIGHT);

    // The score axis.
    text(picture, 0, 12, "score", "rb-muted", "start");
    [0, 0.2, 0.4, 0.6, 0.8, 1].forEach((tick) => {
      line(picture, x(tick), TOP - 8, x(tick), AXIS, "rb-grid");
      text(picture, x(tick), TOP - 16, fixed(tick, 1), "rb-tick");
    });
    line(picture, SIDE, AXIS, width - SIDE, AXIS, "rb-axis");

    // The ranking: one slot each, the best at the right, below the highest score.
    const step = (width - 2 * SIDE) / n;
    const inTop = ranks.filter((rank) => rank <= k).length;
    if (inTop) {
      svg(picture, "rect", { x: width - SIDE - inTop * step, y: SLOTS - 22, width: inTop * step, height: 56, rx: 10, class: "rb-band" });
      text(picture, width - SIDE - (inTop * step) / 2, SLOTS + 51, `top ${k}`, "rb-muted");
    }
    text(picture, 0, SLOTS + 51, "rank", "rb-muted", "start");

    // With many items at one spot, rows move together rather than out of the picture.
    const lane = lanes(scores, x, active);
    const pitch = Math.min(LANE, (LANES * LANE) / Math.max(1, ...lane));
    const radius = clamp(step / 2 - 3, 6, 13);
    const order = scores.map((_, i) => i).sort((a, b) => scores[b] - scores[a] || a - b);
    order.forEach((i, place) => {
      const look = relevance[i] ? "rb-relevant" : "rb-irrelevant";
      const from = x(scores[i]), to = width - SIDE - (place + 0.5) * step, middle = (AXIS + SLOTS) / 2;
      const strong = i === active ? " rb-active" : "";
      if (lane[i]) line(picture, from, AXIS - lane[i] * pitch, from, AXIS, `rb-link ${look}${strong}`);
      svg(picture, "path", { d: `M${from},${AXIS}C${from},${middle} ${to},${middle} ${to},${SLOTS - radius}`, class: `rb-link ${look}${strong}` });
      svg(picture, "circle", { cx: to, cy: SLOTS, r: radius, class: `rb-mark ${look}` });
      if (radius > 9) text(picture, to, SLOTS + 4.5, letter(i), `rb-letter ${look}`);
      text(picture, to, SLOTS + 29, String(ranks[i]), "rb-rank");
      items[i].place(from, AXIS - lane[i] * pitch, {
        now: scores[i], shown: fixed(scores[i], 2), cls: relevance[i] ? "relevant" : "irrelevant",
        spoken: `score ${fixed(scores[i], 2)}, rank ${ranks[i]}, ${relevance[i] ? "relevant" : "irrelevant"}`,
      });
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
