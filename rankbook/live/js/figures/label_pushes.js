// The labels of one instance in rows by their scores; bars say how the pairs, and a loss of single labels, divide their push.
import { choices, handle, tiles } from "../core/controls.js";
import { fixed, linear, metricText } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { line, numbers, panel, rect, text } from "../core/marks.js";
import { letter, replaced } from "../shared/items.js";

const REACH = 4, ROW = 38, TOP = 34;  // scores from -REACH to REACH; rows of the labels
const LOOKS = ["irrelevant", "relevant"];
const WEIGHTINGS = { u1: "u1, each label alike", u2: "u2", u3: "u3, each kind alike", u4: "u4" };

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const sum = (values) => values.reduce((total, value) => total + value, 0);

function weights(relevance, weighting) {
  const p = sum(relevance), n = relevance.length - p;
  const kinds = { u1: 1 / (p + n), u2: 1 / (p * n), u4: 1 / Math.min(p, n) };
  return relevance.map((label) => (weighting === "u3" ? 1 / (label ? p : n) : kinds[weighting]));
}

const ofLabels = (scores, relevance, weighting) => sum(weights(relevance, weighting).map((w, j) => w * softplus(relevance[j] ? -scores[j] : scores[j])));

function shares(push) {
  const whole = sum(push.map(Math.abs));
  return push.map((value) => value / whole);
}

function losses(scores, relevance, weighting) {
  const none = scores.map(() => 0), positive = [], negative = [];
  relevance.forEach((label, j) => (label ? positive : negative).push(j));
  const count = positive.length * negative.length;
  if (!count) return { rank_loss: null, pairs: null, value: null, bound: null, on_irrelevant: null, pair_pushes: none, pushes: none };
  const push = [...none];
  let pairs = 0, wrong = 0;
  positive.forEach((p) => negative.forEach((q) => {
    const behind = scores[q] - scores[p], force = sigmoid(behind);
    pairs += softplus(behind) / count;
    wrong += behind >= 0;
    push[p] += force;
    push[q] -= force;
  }));
  const w = weights(relevance, weighting), pushes = shares(scores.map((s, j) => w[j] * (relevance[j] ? sigmoid(-s) : -sigmoid(s))));
  return {
    rank_loss: wrong / count, pairs, value: ofLabels(scores, relevance, weighting), bound: ofLabels(scores, relevance, "u3") / Math.log(2),
    on_irrelevant: sum(negative.map((j) => Math.abs(pushes[j]))), pair_pushes: shares(push), pushes,
  };
}

function build({ root, get, set }) {
  const showWeighting = choices(root, { label: "loss of single labels", names: WEIGHTINGS, change: (weighting) => set({ weighting }) });
  const plot = panel(root), [wrongTile, boundTile, pairTile, labelTile] = tiles(root, ["RankLoss", "Bound: u3 / log 2", "Pairs, on irrelevant", "Labels, on irrelevant"]);
  let items = [];
  const make = (i) => handle(plot.box, {
    label: `label ${letter(i)}`, min: -REACH, max: REACH, face: letter(i), nudge: (value, steps) => value + steps / 10,
    change: (score) => set({ scores: replaced(get("scores"), i, score) }),
    activate: () => set({ relevance: replaced(get("relevance"), i, 1 - get("relevance")[i]) }),
  });

  return function draw(width, { scores: all, relevance: labels, weighting }) {
    const n = Math.min(all.length, labels.length), scores = all.slice(0, n), relevance = labels.slice(0, n);
    if (items.length !== n) {
      items.forEach(({ knob }) => knob.remove());
      items = scores.map((_, i) => make(i));
    }
    const values = losses(scores, relevance, weighting), bottom = TOP + n * ROW;
    const x = linear(-REACH, REACH, 20, Math.round(0.56 * width)), most = Math.max(0.05, ...values.pair_pushes.map(Math.abs), ...values.pushes.map(Math.abs));
    const bar = linear(-most, most, x.end + 34, width - 4), picture = plot.clear(width, bottom + 26);
    text(picture, x.start - 14, 14, "score", "rb-muted", "start");
    text(picture, (bar.start + bar.end) / 2, 14, "\u2190 share of push \u2192", "rb-muted");
    [-4, -2, 2, 4].forEach((tick) => line(picture, x(tick), TOP - 6, x(tick), bottom, "rb-grid"));
    line(picture, x(0), TOP - 6, x(0), bottom, "rb-guide");
    numbers(picture, x, [-4, -2, 0, 2, 4], bottom + 18, (tick) => fixed(tick, 0));
    line(picture, bar(0), TOP - 6, bar(0), bottom, "rb-axis");
    scores.forEach((s, i) => {
      const y = TOP + (i + 0.5) * ROW, look = LOOKS[relevance[i]];
      [[values.pair_pushes[i], y - 12, "rb-minus"], [values.pushes[i], y + 1, "rb-plus"]].forEach(([share, top, cls]) => {
        rect(picture, Math.min(bar(0), bar(share)), top, Math.abs(bar(share) - bar(0)), 11, cls);
      });
      items[i].place(x, y, {
        now: s, look, spoken: `score ${fixed(s, 2)}, ${look}, ${Math.round(100 * Math.abs(values.pushes[i]))} percent of the push of ${weighting}`,
      });
    });

    showWeighting(weighting);
    const percent = (value) => (value === null ? null : `${Math.round(100 * value)} %`);
    wrongTile.show(metricText(values.rank_loss), "pairs in the wrong order");
    boundTile.show(metricText(values.bound), "never below RankLoss");
    pairTile.show(percent(values.bound === null ? null : 0.5), "of the push of pa");
    labelTile.show(percent(values.on_irrelevant), `of the push of ${weighting}`);
    return { values: { scores, relevance, ...values }, summary: `RankLoss ${metricText(values.rank_loss)}, bound ${metricText(values.bound)}` };
  };
}

export default figure({
  label: "Pushes on the labels of an instance", traits: ["scores", "relevance", "weighting"],
  legend: [
    ["rb-dot rb-relevant", "relevant"], ["rb-dot rb-irrelevant", "irrelevant"],
    ["rb-stroke rb-sup", "pairs (pa)"], ["rb-stroke rb-smooth", "single labels"],
  ],
  hint: "Choose u1, then u3; drag a label.",
  build,
});
