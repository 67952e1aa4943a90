// W processes of b rows: which part of the B x B scores each computes. Blue is the first process, gray the others, empty is nobody.
import { choices, handle, logSlider, tiles } from "../core/controls.js";
import { fixed, linear } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { axis, panel, rect, text } from "../core/marks.js";

const MODES = { own: "each its own", copies: "gather, all rank all", queries: "gather, own queries", passes: "two passes", memory: "memory" };
const SAID = {
  own: "each process ranks its own rows",
  copies: "every process ranks all rows",
  queries: "each process ranks its own queries among all",
  passes: "one process, a chunk at a time, twice",
  memory: "one process, its rows among older embeddings",
};
const TOP = 34, SIDE = 216, GAP = 36, AXIS = 62;
const MINE = "fill: var(--relevant)", OTHERS = "fill: var(--muted); opacity: .38";
const many = (number) => Math.round(number).toString().replace(/\B(?=(\d{3})+$)/g, ",");

// Blocks of b x b that process p scores: [query block, gallery block].
function blocks(mode, W, p) {
  const all = Array.from({ length: W }, (_, i) => i);
  if (mode === "own") return [[p, p]];
  if (mode === "queries" || mode === "memory") return all.map((g) => [p, g]);
  return all.flatMap((q) => all.map((g) => [q, g]));
}

function build({ root, set }) {
  const showMode = choices(root, { label: "Who ranks what", names: MODES, change: (mode) => set({ mode }) });
  const plot = panel(root);
  const knob = handle(plot.box, {
    label: "processes W", min: 1, max: 16, digits: 0, face: "W", nudge: (value, steps) => value + steps, change: (processes) => set({ processes }),
  });
  const showRows = logSlider(root, { label: "rows a process, b", min: 2, max: 1000, change: (rows) => set({ rows: Math.round(rows) }) });
  const [ranked, scores, received, gradient] = tiles(root, ["Pairs ranked", "Scores, a process", "Rows received", "Gradient"]);

  return function draw(width, { mode, processes: W, rows: b }) {
    const batch = W * b, alone = mode === "passes" || mode === "memory", workers = alone ? 1 : W;
    const seen = mode === "own" || mode === "memory" ? W : W * W, diagonal = mode === "memory" ? 1 : W;  // blocks that anyone scores
    const values = {
      batch, pairs: (seen * b * b - diagonal * b) / (batch * (batch - 1)),
      scores: blocks(mode, W, 0).length * b * b,
      all_scores: workers * blocks(mode, W, 0).length * b * b,
      received: mode === "copies" || mode === "queries" ? batch - b : 0,
      exact: W === 1 || mode === "copies" || mode === "queries" || mode === "passes",
    };
    const beside = width >= 560, bars = beside ? SIDE + GAP + 24 : 0, barsTop = beside ? TOP : TOP + SIDE + 52;
    const bottom = beside ? TOP + SIDE : barsTop + SIDE / 3, step = Math.min(27, (bottom - barsTop) / workers);
    const picture = plot.clear(width, bottom + AXIS + 30), cell = SIDE / W;

    text(picture, 0, 20, "queries down, gallery across", "rb-muted", "start");
    rect(picture, 0, TOP, SIDE, SIDE, "rb-cell");
    const gap = W > 1 ? Math.min(2, cell / 8) : 0;
    for (let p = workers - 1; p >= 0; p--) {
      if (mode === "copies" && p) continue;  // the same blocks once more
      blocks(mode, W, p).forEach(([q, g]) => rect(picture, g * cell + gap / 2, TOP + q * cell + gap / 2, cell - gap, cell - gap, "", { style: p ? OTHERS : MINE }));
    }
    text(picture, 0, TOP + SIDE + 18, values.pairs > 0.999 ? "every pair is ranked" : `empty: ${Math.round(100 * (1 - values.pairs))} % that nobody ranks`, "rb-muted", "start");

    // What each process computes, the whole matrix being a full bar.
    const x = linear(0, batch * batch, bars, width - 8);
    text(picture, bars, barsTop - 10, alone ? "work of the process" : "work of each process", "rb-muted", "start");
    for (let p = 0; p < workers; p++) {
      rect(picture, bars, barsTop + p * step, x.end - bars, step - 2, "rb-cell");
      rect(picture, bars, barsTop + p * step, Math.max(1, x(values.scores) - bars), step - 2, "", { style: p ? OTHERS : MINE });
    }
    const w = linear(1, 16, 20, width - 20);
    axis(picture, w, bottom + AXIS - 22, [1, 4, 8, 12, 16], { label: String, name: alone ? "parts W of the batch" : "processes W" });
    knob.place(w, bottom + AXIS - 22, { now: W, look: "relevant", spoken: `${W} ${alone ? "parts" : "processes"}, ${many(batch)} items, ${SAID[mode]}` });

    showMode(mode);
    showRows(b);
    ranked.show(`${fixed(100 * values.pairs, values.pairs < 0.1 ? 1 : 0)} %`, `of a batch of ${many(batch)}`);
    scores.show(many(values.scores), `all together ${many(values.all_scores)}`);
    received.show(many(values.received), values.received ? "and their gradients back" : alone ? "one process" : "weights only");
    gradient.show(values.exact ? "exact" : "another", values.exact ? "that of one process" : mode === "memory" ? `${many(b)} queries, old gallery` : `galleries of ${many(b)}`);
    return { values, summary: `${many(batch)} items, ${SAID[mode]}: ${Math.round(100 * values.pairs)} percent of the pairs, the gradient is ${values.exact ? "exact" : "another one"}` };
  };
}

export default figure({
  label: "Who scores which part of a shared batch", traits: ["mode", "processes", "rows"],
  legend: [["rb-dot rb-relevant", "the first process"], ["rb-swatch rb-dead", "the others"]],
  hint: "Drag W; choose who ranks what.",
  build,
});
