// One item moves across the others: its rank and the AP of the list are staircases of its score, and the slope of both is zero.
import { tiles } from "../core/controls.js";
import { fixed, linear, metricText } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { FIFTHS, across, circle, line, numbers, panel, path, point, text } from "../core/marks.js";
import { exactRanks } from "../core/math.js";
import { LANE, itemHandles, lanes, letter, replaced } from "../shared/items.js";
import { averagePrecision } from "../shared/metrics.js";

const LEFT = 44, RIGHT = 22;
const RANKS = [50, 144], AP = [186, 262];  // below the axis with the items
const SLOPE = 306;             // the line on which both slopes lie
const HEIGHT = 348;
const PAST = 1e-9;             // just past a score: scores are kept to two digits

function build({ root, get, set }) {
  const plot = panel(root);
  const [rankTile, apTile, slopeTile, jumpTile] = tiles(root, ["", "AP", "Slope of both", "Next jump of AP"]);
  const items = itemHandles(plot.box, { get, set, taken: (i) => { if (i !== null) set({ item: i }); } });

  return function draw(width, { scores, relevance, item }) {
    const n = scores.length, here = scores[item], name = letter(item);
    const others = [...new Set(scores.filter((_, i) => i !== item))].sort((a, b) => a - b);
    const rankAt = (v) => exactRanks(replaced(scores, item, v))[item];
    const apAt = (v) => averagePrecision(replaced(scores, item, v), relevance);
    const average_precision = apAt(here);
    // The next score above past which AP changes; AP cannot change before.
    const stop = others.find((s) => s >= here && apAt(s + PAST) !== average_precision) ?? null;
    const values = {
      rank: rankAt(here), average_precision,
      slope: others.includes(here) ? null : 0,
      jump_at: average_precision === null ? null : stop,
      jump: stop === null || average_precision === null ? null : apAt(stop + PAST) - average_precision,
    };

    const x = linear(0, 1, LEFT, width - RIGHT), rows = width < 600 ? 2 : 1;
    const strip = 22 + rows * LANE, slope = strip + SLOPE;
    const y = linear(1, n, strip + RANKS[0], strip + RANKS[1]);
    const least = average_precision === null ? 0 : Math.floor(5 * Math.min(apAt(-PAST), ...others.map((s) => apAt(s + PAST)))) / 5;
    const z = linear(least, 1, strip + AP[1], strip + AP[0]);
    const picture = plot.clear(width, strip + HEIGHT);
    others.forEach((s) => line(picture, x(s), strip, x(s), slope, "rb-jump"));
    line(picture, x.start, strip, x.end, strip, "rb-axis");

    // The staircases. At a tie the item takes the last place, so each step begins just past a score.
    const stairs = (at, scale) => `M${x(0)},${scale(at(-PAST))}` + others.map((s) => `H${x(s)}V${scale(at(s + PAST))}`).join("") + `H${x(1)}`;
    text(picture, 0, strip + RANKS[0] - 18, `rank of ${name}, if its score were`, "rb-muted", "start");
    const every = Math.ceil(n / 8);
    across(picture, x, y, Array.from({ length: n }, (_, i) => i + 1).filter((rank) => (rank - 1) % every === 0));
    path(picture, stairs(rankAt, y), "rb-curve rb-exact");
    text(picture, 0, strip + AP[0] - 18, "AP of the list", "rb-muted", "start");
    across(picture, x, z, [least, (least + 1) / 2, 1], (tick) => fixed(tick, 1));
    if (average_precision !== null) path(picture, stairs(apAt, z), "rb-curve rb-relevant");
    text(picture, 0, slope - 12, "slope of both", "rb-muted", "start");
    text(picture, x.start - 9, slope + 4, "0", "rb-tick", "end");
    line(picture, x.start, slope, x.end, slope, "rb-flat-line");
    others.forEach((s) => circle(picture, x(s), slope, 3.5, "rb-gap"));
    numbers(picture, x, FIFTHS, slope + 20);
    text(picture, x(0.5), strip + HEIGHT - 4, `score of ${name}`, "rb-muted");

    // Where it stands.
    line(picture, x(here), strip, x(here), slope, "rb-guide");
    point(picture, x(here), y(values.rank), "exact");
    if (average_precision !== null) circle(picture, x(here), z(average_precision), 7, "rb-point rb-relevant");
    point(picture, x(here), slope, "exact", 6);
    const lane = lanes(scores, x, item), pitch = Math.min(LANE, (rows * LANE) / Math.max(1, ...lane));
    lane.forEach((row, i) => { if (row) line(picture, x(scores[i]), strip - row * pitch, x(scores[i]), strip, "rb-guide rb-dotted"); });
    items(n).forEach((knob, i) => knob.place(x, strip - lane[i] * pitch, {
      now: scores[i], look: relevance[i] ? "relevant" : "irrelevant",
      spoken: `score ${fixed(scores[i], 2)}, rank ${exactRanks(scores)[i]}, ${relevance[i] ? "relevant" : "irrelevant"}`,
    }));

    rankTile.rename(`Rank of ${name}`);
    rankTile.show(values.rank, `of ${n} items`);
    apTile.show(average_precision === null ? null : fixed(average_precision, 3), average_precision === null ? "needs a relevant item" : "of the whole list");
    slopeTile.show(values.slope === null ? "none" : "0", values.slope === null ? "a jump: no derivative" : "flat between two jumps");
    if (values.jump === null) jumpTile.show(null, `${name} gains nothing by rising`);
    else jumpTile.show(`${values.jump > 0 ? "+" : "\u2212"}${fixed(Math.abs(values.jump), 3)}`, `after ${fixed(stop - here, 2)} more score`);
    return { values, summary: `${name} has rank ${values.rank}, AP is ${metricText(average_precision)}, and both have slope ${values.slope ?? "undefined"}` };
  };
}

export default figure({
  label: "The rank of one item and the AP of its list, as its score moves", traits: ["scores", "relevance", "item"],
  legend: [["rb-dot rb-relevant", "relevant"], ["rb-dot rb-irrelevant", "irrelevant"]],
  hint: "Drag any item: the stairs are its own.",
  build,
});
