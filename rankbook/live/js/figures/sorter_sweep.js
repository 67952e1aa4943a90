// One item crosses the list, and a trained sorter follows its rank. Thick: its gradient has the wrong sign.
import { choices, handle, tiles } from "../core/controls.js";
import { compact, fixed, linear } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { DEAD, FIFTHS, across, axis, line, mark, panel, path, point, text } from "../core/marks.js";
import { exactRanks } from "../core/math.js";
import { letter, replaced } from "../shared/items.js";
import { learnedRanks, unpack } from "../shared/networks.js";

const LEFT = 30, RIGHT = 22;  // room for tick labels, and for half a handle
const TOP = 34, BOTTOM = 264;
const STRIP = 296;            // the score axis with the items
const HEIGHT = STRIP + 54;
const PLACES = 400;           // on the way, the middles of as many equal parts
const WAY = Array.from({ length: PLACES }, (_, k) => (k + 0.5) / PLACES);

const only = (scores, item) => scores.map((_, i) => Number(i === item));

function build({ root, get, set }) {
  const networks = Object.fromEntries(get("networks").map((packed) => [packed.name, unpack(packed)]));
  const choose = choices(root, { label: "sorter", names: Object.fromEntries(Object.keys(networks).map((name) => [name, name])), change: (sorter) => set({ sorter }) });
  const plot = panel(root);
  plot.box.classList.add("rb-below");
  const [rankTile, errorTile, slopeTile, wrongTile] = tiles(root, ["Predicted rank", "Error on the way", "Gradient here", "Wrong sign"]);
  const mover = handle(plot.box, {
    label: "score of the item that moves", min: 0, max: 1, face: letter(get("item")), anywhere: true,
    change: (score) => set({ scores: replaced(get("scores"), get("item"), score) }),
  });

  // The way depends on the other items alone: while the reader drags the item, it stays as it is.
  let way = {};
  function along(sorter, scores, item) {
    const key = JSON.stringify([sorter, replaced(scores, item, null), item]);
    if (way.key !== key) {
      const lists = WAY.map((s) => replaced(scores, item, s));
      const answers = lists.map((list) => learnedRanks(networks[sorter], list, only(list, item)));
      way = {
        key, exact: lists.map((list) => exactRanks(list)[item]),
        ranks: answers.map(({ ranks }) => ranks[item]), wrong: answers.map(({ gradient }) => gradient[item] > DEAD),
      };
    }
    return way;
  }

  return function draw(width, { scores, item, sorter }) {
    const n = scores.length, now = learnedRanks(networks[sorter], scores, only(scores, item));
    const { ranks, exact, wrong } = along(sorter, scores, item);
    const values = {
      rank: now.ranks[item], exact_rank: exactRanks(scores)[item], slope: now.gradient[item],
      error_on_the_way: ranks.reduce((sum, rank, k) => sum + Math.abs(rank - exact[k]), 0) / PLACES,
      wrong_way: wrong.filter(Boolean).length / PLACES,
    };

    const x = linear(0, 1, LEFT, width - RIGHT), y = linear(1, n, TOP, BOTTOM), picture = plot.clear(width, HEIGHT);
    const at = (k) => `${x(WAY[k]).toFixed(1)},${y(ranks[k]).toFixed(2)}`;
    text(picture, 0, 14, `rank of ${letter(item)}`, "rb-muted", "start");
    across(picture, x, y, scores.map((_, i) => i + 1));
    scores.forEach((s, i) => { if (i !== item) line(picture, x(s), TOP, x(s), STRIP, "rb-jump"); });
    const stops = scores.filter((_, i) => i !== item).sort((a, b) => a - b);
    path(picture, `M${x(0)},${y(n)}${stops.map((s, k) => `H${x(s)}V${y(n - 1 - k)}`).join("")}H${x(1)}`, "rb-curve rb-exact");
    path(picture, `M${WAY.map((_, k) => at(k)).join("L")}`, "rb-curve rb-smooth");
    path(picture, wrong.map((is, k) => (is && k ? `M${at(k - 1)}L${at(k)}` : "")).join(""), "rb-curve rb-wrong");

    axis(picture, x, STRIP, FIFTHS, { name: "score", below: 34, anchor: "end" });
    scores.forEach((s, i) => { if (i !== item) mark(picture, x(s), STRIP, 10, "irrelevant", letter(i)); });
    line(picture, x(scores[item]), TOP - 8, x(scores[item]), STRIP, "rb-guide");
    point(picture, x(scores[item]), y(values.exact_rank), "exact");
    point(picture, x(scores[item]), y(values.rank), "smooth");
    mover.place(x, STRIP, { now: scores[item], look: "relevant", spoken: `score ${fixed(scores[item], 2)}, predicted rank ${fixed(values.rank, 2)}, gradient ${compact(values.slope)}` });

    choose(sorter);
    const share = `${fixed(100 * values.wrong_way, 1)} %`;
    rankTile.show(fixed(values.rank, 2), `exact ${values.exact_rank}`);
    errorTile.show(fixed(values.error_on_the_way, 3), "places, on average");
    slopeTile.show(compact(values.slope), values.slope > DEAD ? "a higher score, a worse rank" : values.slope < -DEAD ? "a higher score, a better rank" : "dead");
    wrongTile.show(share, "of the way: drawn thick");
    return { values, summary: `${sorter}: off by ${fixed(values.error_on_the_way, 3)} places on the way, gradient of the wrong sign on ${share} of it` };
  };
}

export default figure({
  label: "The rank of one item on its way through the list, by a trained sorter", traits: ["scores", "item", "sorter"],
  legend: [["rb-stroke rb-exact", "exact rank"], ["rb-stroke rb-smooth", "predicted rank"], ["rb-stroke rb-wrong", "gradient of the wrong sign"]],
  hint: "Choose a sorter, drag the item.",
  build,
});
