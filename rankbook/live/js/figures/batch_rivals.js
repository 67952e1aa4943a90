// The batch as a share of the data: of a query's nearest items those that the batch holds, and recall at k over the size of the batch.
import { button, choices, handle, tiles } from "../core/controls.js";
import { fixed, html, linear, logarithmic } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { across, axis, curve, panel, point, rect, text } from "../core/marks.js";

const CELL = 38, TITLE = 30, LEFT = 34, RIGHT = 22, PLOT = 120, SMALLEST = 8;
const KS = [1, 4, 16];

function read(line) {
  const [name, items] = line.split("\t"), shown = items.split(" ");
  const relevant = shown.map((item) => item.startsWith("+"));
  const ahead = [], rivals = [];
  relevant.forEach((yes, i) => (yes ? ahead.push(rivals.length) : rivals.push(i)));
  return { name, glyphs: shown.map((item) => item.replace(/^\+/, "")), relevant, ahead, rivals };
}

// The place of each other item in a draw: by a mixed number of 32 bits, as Python computes it.
function places(others, query, draw, wanted) {
  const mixed = Uint32Array.from({ length: others }, (_, i) => {
    let x = (Math.imul(i + 1, 0x9e3779b9) + Math.imul(draw, 0x85ebca6b) + Math.imul(query, 0xc2b2ae35)) >>> 0;
    for (const [shift, factor] of [[16, 0x7feb352d], [15, 0x846ca68b], [16, 1]]) x = Math.imul(x ^ (x >>> shift), factor) >>> 0;
    return x;
  });
  return Array.from({ length: wanted }, (_, i) => mixed.reduce((before, x, j) => before + (x < mixed[i] || (x === mixed[i] && j < i)), 0));
}

// The chance that at most `most` of the marked items are among those drawn without replacement.
function atMost(most, marked, drawn, items) {
  let sum = 0;
  for (let x = 0, ways = 1; x <= Math.min(most, marked, drawn); ways *= (marked - x) / (x + 1), x++) {
    let share = ways;
    for (let t = 0; t < x; t++) share *= (drawn - t) / (items - t);
    for (let t = 0; t < marked - x; t++) share *= (items - drawn - t) / (items - x - t);
    sum += share;
  }
  return sum;
}

const recall = (ahead, k) => ahead.filter((n, p) => n + p + 1 <= k).length / Math.min(k, ahead.length);
const average = (ahead, k, drawn, others) => ahead.reduce((sum, n, p) => sum + atMost(k - p - 1, n, drawn, others), 0) / Math.min(k, ahead.length);

function build({ root, get, set }) {
  const lines = get("lists").split("\n"), names = Object.fromEntries(lines.map((one, i) => [i, read(one).name]));
  const choose = choices(root, { label: "query", names, change: (query) => set({ query: Number(query) }) });
  const plot = panel(root);
  const limits = () => [SMALLEST, get("gallery")];
  const knob = handle(plot.box, {
    label: "size of the batch", min: limits()[0], max: limits()[1], face: "", round: Math.round,
    nudge: (value, steps) => (steps > 0 ? Math.max(value + 1, value * 1.05 ** steps) : Math.min(value - 1, value * 1.05 ** steps)),
    change: (size) => set({ size }),
  });
  const row = html(root, "div", { class: "rb-feed" });
  const chooseK = choices(row, { label: "k", names: Object.fromEntries(KS.map((k) => [k, `recall@${k}`])), change: (k) => set({ k: Number(k) }) });
  button(row, "Another batch", () => set({ draw: (get("draw") + 1) % 10000 }));
  const [batchTile, meanTile, wholeTile, rivalTile] = tiles(root, ["The batch says", "Batches on average", "All items say", "Rivals in the batch"], { bars: 3 });
  let ordered, order; // a drag changes no draw

  return function draw(width, { lists, gallery, query, size, k, draw: which }) {
    const { glyphs, relevant, ahead, rivals } = read(lists.split("\n")[query]);
    const count = ahead.length, others = gallery - 1 - count, drawn = Math.min(Math.max(size - 1 - count, 0), others);
    const now = JSON.stringify([lists, gallery, query, which]);
    if (ordered !== now) order = places(others, query, which, rivals.length);
    ordered = now;
    const held = glyphs.map(() => 1);
    rivals.forEach((item, i) => { held[item] = Number(order[i] < drawn); });
    const here = ahead.map((n) => order.slice(0, n).filter((place) => place < drawn).length);
    const values = {
      held, in_batch: 1 + count + drawn, batch: recall(here, k), whole: recall(ahead, k), average: average(ahead, k, drawn, others),
      rivals: ahead[0], rivals_in_batch: here[0],
    };

    const columns = Math.max(1, Math.floor(width / CELL)), rows = Math.ceil(glyphs.length / columns), strip = TITLE + rows * CELL;
    const top = strip + 34, floor = top + PLOT, picture = plot.clear(width, floor + 62);
    text(picture, 0, 19, `its ${glyphs.length} nearest, best first; faded: not in the batch`, "rb-muted", "start");
    glyphs.forEach((glyph, i) => {
      const x = (i % columns) * CELL, y = TITLE + Math.floor(i / columns) * CELL;
      if (relevant[i]) rect(picture, x + 2, y + 2, CELL - 4, CELL - 4, "rb-mark rb-relevant", { "fill-opacity": 0.25, rx: 6 });
      text(picture, x + CELL / 2, y + 26, glyph, held[i] ? "rb-glyph" : "rb-glyph rb-absent");
    });

    const x = logarithmic(SMALLEST, gallery, LEFT, width - RIGHT), y = linear(0, 1, floor, top);
    text(picture, 0, top - 12, `recall@${k}, on average over batches`, "rb-muted", "start");
    across(picture, x, y, [0, 0.5, 1]);
    curve(picture, x, y, () => values.whole, "rb-exact");
    const of = (batch) => average(ahead, k, Math.min(Math.max(Math.round(batch) - 1 - count, 0), others), others);
    curve(picture, x, y, of, "rb-smooth");
    const at = Math.min(Math.max(size, SMALLEST), gallery);
    point(picture, x(at), y(values.average), "smooth");
    const ticks = [8, 32, 128, 512, 2048, 8192, 32768].filter((tick) => tick < gallery / 1.6);
    axis(picture, x, floor, [...ticks, gallery], { label: (n) => n.toLocaleString("en"), name: `items in the batch, of ${gallery.toLocaleString("en")}`, below: 36 });
    knob.place(x, floor, { now: at, shown: at.toLocaleString("en"), spoken: `${values.in_batch} of ${gallery} items` });

    choose(String(query));
    chooseK(String(k));
    batchTile.show(fixed(values.batch, 2), "this batch", values.batch);
    meanTile.show(fixed(values.average, 2), `all batches of ${values.in_batch.toLocaleString("en")}`, values.average);
    wholeTile.show(fixed(values.whole, 2), "the truth", values.whole);
    rivalTile.show(`${values.rivals_in_batch} of ${values.rivals}`, "ahead of the first positive");
    return { values, summary: `a batch of ${values.in_batch} holds ${values.rivals_in_batch} of ${values.rivals} rivals; it says ${fixed(values.batch, 2)}, all items say ${fixed(values.whole, 2)}` };
  };
}

export default figure({
  label: "A batch as a share of the data", traits: ["lists", "gallery", "query", "size", "k", "draw"],
  legend: [["rb-dot rb-relevant", "of the query's class"], ["rb-stroke rb-smooth", "what batches believe"], ["rb-stroke rb-exact", "the truth"]],
  hint: "Drag the size of the batch.",
  build,
});
