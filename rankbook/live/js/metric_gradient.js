// One list, four metrics: the arrow on each item is the gradient of the metric with sigmoid ranks.
import { exactMetric, softMetric } from "./math.js";
import { choices, clamp, compact, figure, fixed, handle, html, legendEntry, line, linear, logSlider, panel, svg, text, tile, tiles } from "./ui.js";
import { letter } from "./strip.js";

const ROW = 37;           // each item has a row of its own: no handle hides another, no arrow crosses one
const TOP = 34;
const FACE = 17;          // an arrow starts beside the handle
const NUMBERS = 56;       // the column of numbers
const TAU = { min: 0.003, max: 1 };
const DEAD = 1e-6;        // arrows shrink below this, so that a dead gradient looks dead
const FELT = 0.05;
const NAMES = { AP: "AP", NDCG: "NDCG", RR: "reciprocal rank", "R@3": "recall@3" };

function arrow(picture, from, to, y, cls) {
  const head = Math.min(8, Math.abs(to - from));
  if (head < 1) return;
  const back = to - Math.sign(to - from) * head;
  line(picture, from, y, back, y, `rb-push ${cls}`);
  svg(picture, "path", { d: `M${to},${y}L${back},${y - head * 0.75}V${y + head * 0.75}Z`, class: `rb-push-head ${cls}` });
}

function build({ root, legend, get, set }) {
  legendEntry(legend, "rb-dot rb-relevant", "relevant");
  legendEntry(legend, "rb-dot rb-irrelevant", "irrelevant");
  html(legend, "span", { class: "rb-hint" }, "Choose a metric, drag an item. Enter switches its relevance.");
  const choose = choices(root, { label: "metric", names: NAMES, change: (metric) => set({ metric }) });
  const showTau = logSlider(root, { label: "temperature \u03c4", ...TAU, change: (tau) => set({ tau }) });
  const plot = panel(root);
  const row = tiles(root, 3);
  const valueTile = tile(row, "", { bar: true }), hardestTile = tile(row, "Pushed hardest"), movedTile = tile(row, "Items that feel it");

  let x = linear(0, 1, 0, 1);
  let items = [];
  const replaced = (name, i, value) => get(name).map((old, j) => (j === i ? value : old));
  const makeItem = (i) => handle(plot.box, {
    label: `item ${letter(i)}`, min: 0, max: 1, face: letter(i), scale: () => x, value: () => get("scores")[i],
    nudge: (value, steps) => value + steps / 100,
    change: (value) => set({ scores: replaced("scores", i, Math.round(value * 100) / 100) }),
    activate: () => set({ relevance: replaced("relevance", i, get("relevance")[i] ? 0 : 1) }),
  });

  return function draw(width) {
    const scores = get("scores"), relevance = get("relevance").slice(0, scores.length), metric = get("metric"), tau = get("tau");
    const n = scores.length;
    if (items.length !== n) {
      items.forEach((item) => item.knob.remove());
      items = scores.map((_, i) => makeItem(i));
    }
    const { value, gradient } = softMetric(metric, scores, relevance, tau);
    const push = gradient.map(Math.abs), top = Math.max(...push);
    const values = {
      scores, relevance, metric, tau, value, gradient,
      exact_value: exactMetric(metric, scores, relevance),
      hardest: top > 0 ? push.findIndex((size) => size >= top * (1 - 1e-9)) : null,
      moved: top > 0 ? push.filter((size) => size >= FELT * top).length : 0,
    };

    const reach = clamp(0.13 * width, 38, 90);
    const right = width - NUMBERS - reach - FACE - 4, bottom = TOP + n * ROW;
    x = linear(0, 1, reach + FACE + 4, right);
    const picture = plot.clear(width, bottom + 24);
    text(picture, 0, 14, "pushed down \u2190", "rb-muted", "start");
    text(picture, right, 14, "\u2192 up", "rb-muted");
    text(picture, width, 14, "push", "rb-muted", "end");
    [0, 0.2, 0.4, 0.6, 0.8, 1].forEach((tick) => {
      line(picture, x(tick), TOP, x(tick), bottom, "rb-grid");
      text(picture, x(tick), bottom + 17, fixed(tick, 1), "rb-tick");
    });
    text(picture, 0, bottom + 17, "score", "rb-muted", "start");
    scores.forEach((s, i) => {
      const y = TOP + (i + 0.5) * ROW, look = relevance[i] ? "rb-relevant" : "rb-irrelevant";
      const side = Math.sign(gradient[i]), length = (reach * push[i]) / Math.max(top, DEAD);
      arrow(picture, x(s) + side * FACE, x(s) + side * (FACE + length), y, look);
      const near = push[i] < 0.0005 ? "0" : (side > 0 ? "+" : "") + (push[i] < 10 ? fixed(gradient[i], push[i] < 1 ? 3 : 2) : fixed(gradient[i], 1));
      text(picture, width, y + 4.5, near, i === values.hardest ? "rb-strong" : push[i] < FELT * top ? "rb-muted" : "", "end");
      items[i].place(x(s), y, {
        now: s, shown: fixed(s, 2), cls: relevance[i] ? "relevant" : "irrelevant",
        spoken: `score ${fixed(s, 2)}, ${relevance[i] ? "relevant" : "irrelevant"}, push ${compact(gradient[i])}`,
      });
    });
    choose(metric);
    showTau(tau);

    valueTile.rename(NAMES[metric]);
    const hardest = values.hardest === null ? "none" : `${letter(values.hardest)} ${gradient[values.hardest] > 0 ? "up" : "down"}`;
    if (value === null) valueTile.show("\u2013", "needs a relevant item");
    else valueTile.show(fixed(value, 3), `exact ${fixed(values.exact_value, 3)}`, value);
    hardestTile.show(hardest, top < DEAD ? "dead: below one millionth" : `${compact(top)} per unit of score`);
    movedTile.show(`${values.moved} of ${n}`, "at 5 % or more of the hardest push");
    return {
      values,
      summary: `${NAMES[metric]} ${value === null ? "undefined" : fixed(value, 3)}; pushed hardest: ${hardest}; ${values.moved} items feel it`,
    };
  };
}

export default figure({ label: "Gradient of a metric on each item", traits: ["scores", "relevance", "metric", "tau"], build });
