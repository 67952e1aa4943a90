// Figures of labeled items on a score axis above and the ranking below: only the order of the marks reaches the metrics.
import { LANE, itemHandles, lanes, letter, scoreGrid } from "./items.js";
import { dcg, positives, precisionTerms, worstOrder } from "./metrics.js";
import { button } from "../core/controls.js";
import { clamp, fixed, html, linear } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { line, mark, panel, path, rect, text } from "../core/marks.js";

const SIDE = 28;          // room beside the axis for half a handle, and for the names of the rows
const LANES = 2;          // rows above the axis before items start to overlap
const TOP = 48;           // title and tick labels
const AXIS = TOP + LANES * LANE;
const SLOTS = AXIS + 96;  // the ranking
const ROWS = SLOTS + 29, ROW = 22; // what is written below it
const HEIGHT = ROWS + ROW + 11;

// `labels` is the trait with the label of each item, from 0; `kinds` says of each value how it looks and what it is called,
// other `traits` and the `hint` are the figure's own. build(ui) makes what stands below the picture and returns
// show({ scores, labels, ranks, width, ...state }), which returns { values, summary, rows, top }: `rows` are [name, texts, class] of
// what is written below the ranking, the first `top` places of which are marked.
export function rankingFigure({ label, labels, kinds, traits, hint, build }) {
  return figure({
    label, traits: ["scores", labels, ...traits], hint,
    legend: [...kinds].reverse().map(([look, word]) => [`rb-dot rb-${look}`, word]),
    build({ root, get, set }) {
      const plot = panel(root), show = build({ root, get, set });
      let active = null;
      const handles = itemHandles(plot.box, { get, set, labels, count: kinds.length, taken: (i) => { active = i; } });

      return function draw(width, state) {
        const n = Math.min(state.scores.length, state[labels].length), items = handles(n);
        const scores = state.scores.slice(0, n), label = state[labels].slice(0, n), ranks = worstOrder(scores, label);
        const { values, summary, rows, top = 0 } = show({ ...state, scores, [labels]: label, ranks, width });
        const x = linear(0, 1, SIDE, width - SIDE), step = (x.end - x.start) / n, radius = clamp(step / 2 - 3, 6, 13);
        const picture = plot.clear(width, HEIGHT);

        text(picture, 0, 12, "score", "rb-muted", "start");
        scoreGrid(picture, x, TOP - 8, AXIS, TOP - 16);
        line(picture, x.start, AXIS, x.end, AXIS, "rb-axis");
        if (top) {
          rect(picture, x.end - top * step, SLOTS - 22, top * step, 58, "rb-band", { rx: 10 });
          text(picture, x.end - (top * step) / 2, ROWS + ROW + 1, `top ${top}`, "rb-muted");
        }
        rows.forEach(([name], r) => text(picture, 0, ROWS + r * ROW, name, "rb-muted", "start"));

        // One slot each, the best at the right, below the highest score. With many items at one spot, the rows above the axis
        // move together rather than out of the picture.
        const lane = lanes(scores, x, active), pitch = Math.min(LANE, (LANES * LANE) / Math.max(1, ...lane));
        ranks.forEach((rank, i) => {
          const [look, word] = kinds[label[i]], strong = i === active ? " rb-active" : "";
          const from = x(scores[i]), to = x.end - (rank - 0.5) * step, middle = (AXIS + SLOTS) / 2, y = AXIS - lane[i] * pitch;
          if (lane[i]) line(picture, from, y, from, AXIS, `rb-link rb-${look}${strong}`);
          path(picture, `M${from},${AXIS}C${from},${middle} ${to},${middle} ${to},${SLOTS - radius}`, `rb-link rb-${look}${strong}`);
          mark(picture, to, SLOTS, radius, look, radius > 9 ? letter(i) : "");
          rows.forEach(([, texts, cls], r) => { if (r === 0 || step > 28) text(picture, to, ROWS + r * ROW, texts[i], cls); });
          items[i].place(x, y, { now: scores[i], look, spoken: `score ${fixed(scores[i], 2)}, rank ${rank}, ${word}` });
        });
        return { values: { scores, [labels]: label, ranks, ...values }, summary };
      };
    },
  });
}

// The buttons that make k smaller and larger, for a figure with the traits `scores` and `k`.
export const cutoff = (k, n) => clamp(k, 1, n);

export function cutoffStepper(parent, { get, set }) {
  const stepper = html(parent, "span", { class: "rb-stepper" });
  [["\u2212", -1, "Smaller k"], ["+", 1, "Larger k"]].forEach(([sign, step, name]) => button(stepper, sign, () => {
    const n = get("scores").length;
    set({ k: cutoff(cutoff(get("k"), n) + step, n) });
  }, { "aria-label": name }));
}

// ---- tiles that show how the number comes about ----
export function showAP(tile, value, scores, relevance, needs) {
  if (value === null) return tile.show(null, needs);
  const terms = precisionTerms(scores, relevance).sort((a, b) => a.rank - b.rank);
  const sum = terms.map((t) => `${t.among}/${t.rank}`).join(" + ");
  return tile.show(fixed(value, 3), terms.length === 1 ? sum : `(${sum}) / ${terms.length}`, value);
}

export function showNDCG(tile, value, ranks, relevance) {
  if (!positives(relevance).length) return tile.show(null, "needs a relevant item");
  const found = dcg(ranks, relevance);
  return tile.show(fixed(value, 3), `DCG ${fixed(found, 2)} / best ${fixed(found / value, 2)}`, value);
}
