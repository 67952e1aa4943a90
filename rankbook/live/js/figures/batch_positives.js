// How many pictures with a label a random batch holds: the hypergeometric distribution over two axes that set it.
import { handle, tiles } from "../core/controls.js";
import { compact, fixed, linear, logarithmic } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { axis, line, panel, rect, text } from "../core/marks.js";

const LEFT = 34, RIGHT = 22, SIZE = 26, LABEL = 112, TOP = 206, FLOOR = 336, HEIGHT = 376;
const SHOWN = 6;  // bars: 0 to 5 positives, then more

// The shares of batches with 0, 1, ... positives. In logarithms, since the first may be below what a number holds.
function distribution(n, m, b) {
  let log = 0;
  for (let i = 0; i < b; i++) log += Math.log1p(-m / (n - i));
  return Array.from({ length: Math.min(m, b) + 1 }, (_, k) => {
    const share = Math.exp(log);
    log += Math.log(((m - k) * (b - k)) / ((k + 1) * (n - m - b + k + 1)));
    return share;
  });
}

const harmonics = new Map();
function harmonic(n) {
  if (!harmonics.has(n)) {
    let sum = 0;
    for (let place = 1; place <= n; place++) sum += 1 / place;
    harmonics.set(n, sum);
  }
  return harmonics.get(n);
}
// The expected AP of a random order of n pictures, m of them with the label.
const apOfChance = (m, n) => (harmonic(n) + ((n - harmonic(n)) * (m - 1)) / (n - 1)) / n;

const total = (values) => values.reduce((sum, value) => sum + value, 0);
const percent = (share) => (share > 0 && share < 0.001 ? "below 0.1 %" : `${fixed(100 * share, share < 0.1 ? 1 : 0)} %`);
const perPicture = { digits: 0, round: Math.round, nudge: (value, steps) => (steps > 0 ? Math.max(value + 1, value * 1.05 ** steps) : Math.min(value - 1, value * 1.05 ** steps)) };

function build({ root, set }) {
  const plot = panel(root);
  const bySize = handle(plot.box, { label: "pictures in a batch", min: 2, max: 1024, face: "", ...perPicture, change: (size) => set({ size }) });
  const byLabel = handle(plot.box, { label: "pictures with the label", min: 1, max: 1024, face: "", ...perPicture, change: (positives) => set({ positives }) });
  const [noneTile, expectedTile, chanceTile, allTile] = tiles(root, ["No positive", "Positives a batch", "AP of chance, batch", "AP of chance, all"]);

  return function draw(width, { pictures, positives, size }) {
    const all = distribution(pictures, positives, size), none = all[0];
    const shares = [...Array.from({ length: SHOWN }, (_, k) => all[k] ?? 0), Math.max(0, total(all.slice(SHOWN)))];
    const values = {
      shares, none, expected: (size * positives) / pictures,
      chance_batch: total(all.map((share, k) => (k ? share * apOfChance(k, size) : 0))) / (1 - none), chance_all: apOfChance(positives, pictures),
    };

    const picture = plot.clear(width, HEIGHT), powers = [1, 4, 16, 64, 256, 1024];
    const b = logarithmic(2, 1024, LEFT, width - RIGHT), m = logarithmic(1, 1024, LEFT, width - RIGHT);
    axis(picture, b, SIZE, powers.slice(1), { label: String, name: "pictures in a batch", below: 32 });
    axis(picture, m, LABEL, powers, { label: String, name: `pictures with the label, of ${pictures}`, below: 32 });
    bySize.place(b, SIZE, { now: size, spoken: `${size} pictures in a batch` });
    byLabel.place(m, LABEL, { now: positives, spoken: `${positives} of ${pictures} pictures have the label` });

    const y = linear(0, 1, FLOOR, TOP), slot = (width - LEFT - RIGHT) / shares.length;
    text(picture, 0, TOP - 22, "share of the batches", "rb-muted", "start");
    line(picture, LEFT, FLOOR, width - RIGHT, FLOOR, "rb-axis");
    shares.forEach((share, k) => {
      const left = LEFT + (k + 0.15) * slot, middle = LEFT + (k + 0.5) * slot;
      rect(picture, left, y(share), 0.7 * slot, FLOOR - y(share), `rb-mark rb-${k ? "relevant" : "irrelevant"}`);
      if (share >= 0.001) text(picture, middle, y(share) - 6, percent(share), "rb-tick");
      text(picture, middle, FLOOR + 17, k < SHOWN ? String(k) : `${SHOWN}+`, "rb-tick");
    });
    text(picture, (width + LEFT - RIGHT) / 2, HEIGHT - 4, "positives in the batch", "rb-muted");

    noneTile.show(percent(none), "of the batches: nothing to rank");
    expectedTile.show(compact(values.expected), "on average");
    chanceTile.show(fixed(values.chance_batch, 3), "random order, where there is one");
    allTile.show(fixed(values.chance_all, 3), "random order of all pictures");
    return { values, summary: `${percent(none)} of the batches of ${size} hold no positive` };
  };
}

export default figure({
  label: "Positives of a label in a random batch", traits: ["pictures", "positives", "size"],
  legend: [["rb-dot rb-irrelevant", "batches without a positive"], ["rb-dot rb-relevant", "with"]],
  hint: "Drag the batch, then the label.",
  build,
});
