// One list, its items dealt to two batches by hand: the mean AP of the batches beside the AP of the list.
import { button, tiles } from "../core/controls.js";
import { fixed, html, linear, metricText } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { FIFTHS, line, mark, numbers, panel, text } from "../core/marks.js";
import { LANE, itemHandles, lanes, letter } from "../shared/items.js";
import { averagePrecision, positives, precisionTerms } from "../shared/metrics.js";

const LEFT = 22, RIGHT = 22;
const NAME = 30, TERMS = 26, AXIS = 40;   // above the items of a row, below them, and for the numbers of the axis
const SMALL = 24;                         // a row of marks, where handles need LANE
const ROUNDING = 1e-9;
const EXAMPLE = { relevance: [1, 1, 1, 0, 1, 1, 1, 0], batch: [0, 0, 0, 1, 1, 1, 1, 0] };

const gapText = (gap) => `${gap > ROUNDING ? "+" : ""}${fixed(gap, 3)}`;
const members = (batch, which) => batch.flatMap((b, i) => (b === which ? [i] : []));
const apOf = (list, scores, relevance) => averagePrecision(list.map((i) => scores[i]), list.map((i) => relevance[i]));

// The mean over the batches that have an AP, and what it is of.
function inBatches(batch, scores, relevance) {
  const aps = [0, 1].map((which) => apOf(members(batch, which), scores, relevance)), found = aps.filter((ap) => ap !== null);
  return { aps, mean: found.reduce((sum, ap) => sum + ap, 0) / found.length };
}

// All ways to deal the items, each with its gap.
function allSplits(scores, relevance, whole) {
  return Array.from({ length: 2 ** scores.length }, (_, split) => {
    const batch = scores.map((_, i) => (split >> i) & 1);
    return { batch, gap: inBatches(batch, scores, relevance).mean - whole };
  });
}

function build({ root, get, set }) {
  const plot = panel(root);
  const [meanTile, wholeTile, gapTile, allTile] = tiles(root, ["Mean of the batches", "AP of the whole", "Gap", ""], { bars: 2 });
  const handles = itemHandles(plot.box, { get, set, labels: "batch", taken: (item) => { if (item !== null) set({ item }); } });
  let splits = [], between, held = [];

  const row = html(root, "div", { class: "rb-feed" });
  const extreme = (sign) => () => {
    if (splits.length) set({ batch: splits.reduce((best, one) => (sign * (one.gap - best.gap) > ROUNDING ? one : best)).batch });
  };
  button(row, "Largest gap", extreme(1));
  button(row, "Smallest gap", extreme(-1));
  button(row, "An example with six relevant items", () => { if (get("scores").length === 8) set(EXAMPLE); });

  // An item goes where the pointer carries it: into the other batch when it crosses the line between the two.
  plot.box.addEventListener("pointermove", (event) => {
    const i = held.findIndex(({ knob }) => knob.hasPointerCapture(event.pointerId));
    if (i < 0) return;
    const which = Number(event.clientY - plot.box.getBoundingClientRect().top > between);
    if (which !== get("batch")[i]) set({ item: i, batch: get("batch").map((old, j) => (j === i ? which : old)) });
  });

  return function draw(width, { scores: all, relevance: labels, batch: dealt, item: wanted }) {
    const n = Math.min(all.length, labels.length, dealt.length), item = Math.min(wanted, n - 1);
    const scores = all.slice(0, n), relevance = labels.slice(0, n), batch = dealt.slice(0, n);
    const values = { scores, relevance, batch, item, first: null, second: null, mean: null, whole: null, gap: null, lowest: null, highest: null, below: null };
    const there = positives(relevance).length > 0;
    splits = [];
    if (there) {
      values.whole = averagePrecision(scores, relevance);
      splits = allSplits(scores, relevance, values.whole);
      const { aps, mean } = inBatches(batch, scores, relevance), gaps = splits.map(({ gap }) => gap);
      [values.first, values.second] = aps;
      Object.assign(values, { mean, gap: mean - values.whole, lowest: Math.min(...gaps), highest: Math.max(...gaps) });
      values.below = gaps.filter((gap) => gap < -ROUNDING).length;
    }

    const x = linear(0, 1, LEFT, width - RIGHT), rows = width < 600 ? 2 : 1;
    const band = NAME + rows * LANE + TERMS, top = NAME + rows * SMALL + TERMS, ends = [top + band, top + 2 * band];
    between = top + band;
    const picture = plot.clear(width, ends[1] + AXIS);
    held = handles(n);
    const everyone = scores.map((_, i) => i);
    [[everyone, "the whole list", values.whole], [members(batch, 0), "batch 1", values.first], [members(batch, 1), "batch 2", values.second]].forEach(([list, name, ap], r) => {
      const base = (r ? ends[r - 1] : top) - TERMS, step = r ? LANE : SMALL;
      text(picture, 0, base - rows * step - 12, name, "rb-muted", "start");
      text(picture, width, base - rows * step - 12, ap === null ? "no AP" : `AP ${fixed(ap, 3)}`, "rb-rank", "end");
      line(picture, x.start, base, x.end, base, "rb-axis");
      const own = list.map((i) => scores[i]), lane = lanes(own, x, list.indexOf(item));
      const pitch = Math.min(step, (rows * step) / Math.max(1, ...lane));
      // what each relevant item earns: its rank among the relevant, over its rank
      precisionTerms(own, list.map((i) => relevance[i])).forEach((term) => text(picture, x(own[term.item]), base + 20, `${term.among}/${term.rank}`, "rb-tick"));
      list.forEach((i, k) => {
        const look = relevance[i] ? "relevant" : "irrelevant", y = base - step / 2 - lane[k] * pitch;
        if (!r) return mark(picture, x(scores[i]), y, 10, look, letter(i));
        held[i].place(x, y, { now: scores[i], look, spoken: `score ${fixed(scores[i], 2)}, in ${name}, ${look}` });
      });
    });
    numbers(picture, x, FIFTHS, ends[1] + 16);
    text(picture, x.end, ends[1] + 34, "score", "rb-muted", "end");

    meanTile.show(there ? fixed(values.mean, 3) : null, there ? `of ${metricText(values.first)} and ${metricText(values.second)}` : "needs a relevant item", values.mean ?? 0);
    wholeTile.show(there ? fixed(values.whole, 3) : null, there ? "however it is split" : "needs a relevant item", values.whole ?? 0);
    gapTile.show(there ? gapText(values.gap) : null, there ? ["the batches are too strict", "nobody is fooled", "the batches flatter"][1 + Math.sign(Math.abs(values.gap) > ROUNDING ? values.gap : 0)] : "needs a relevant item");
    allTile.rename(`All ${splits.length || 2 ** n} splits`);
    if (there) allTile.show(`${values.below} below 0`, `from ${gapText(values.lowest)} to ${gapText(values.highest)}`);
    else allTile.show(null, "no AP");
    return { values, summary: there ? `the batches have ${metricText(values.first)} and ${metricText(values.second)}, the whole ${fixed(values.whole, 3)}, the gap is ${gapText(values.gap)}` : "no relevant item" };
  };
}

export default figure({
  label: "One list in two batches, and the decomposability gap", traits: ["scores", "relevance", "batch", "item"],
  legend: [["rb-dot rb-relevant", "relevant"], ["rb-dot rb-irrelevant", "irrelevant"]],
  hint: "Drag an item into the other batch, or press Enter on it. Can the gap fall below 0?",
  build,
});
