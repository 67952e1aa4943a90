// The items on a score axis; below, on the same axis, three losses over the score of the item that was dragged last.
import { logSlider, tiles } from "../core/controls.js";
import { compact, fixed, linear, svg } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { DEAD, FIFTHS, across, curve, line, numbers, panel, point, text, trace } from "../core/marks.js";
import { sigmoidRanks } from "../core/math.js";
import { LANE, itemHandles, lanes, letter, replaced } from "../shared/items.js";
import { averagePrecision, positives } from "../shared/metrics.js";
import { smoothAPLoss } from "../shared/soft_metrics.js";
import { supAPLoss } from "../shared/suprank.js";

const LEFT = 44, RIGHT = 22;
const LOSS = [56, 258];  // below the axis with the items
const HEIGHT = 302;

function build({ root, get, set }) {
  const plot = panel(root);
  const showTau = logSlider(root, { label: "temperature \u03c4", min: 0.003, max: 0.1, change: (tau) => set({ tau }) });
  const [exactTile, smoothTile, supTile, pushTile] = tiles(root, ["1 \u2212 AP", "Smooth-AP", "SupAP", ""]);
  const handles = itemHandles(plot.box, { get, set, taken: (item) => { if (item !== null) set({ item }); } });

  return function draw(width, { scores: all, relevance: labels, item: wanted, tau, rho, delta }) {
    const n = Math.min(all.length, labels.length), item = Math.min(wanted, n - 1), name = letter(item);
    const scores = all.slice(0, n), relevance = labels.slice(0, n), there = positives(relevance).length > 0;
    const exactAt = (s) => 1 - averagePrecision(s, relevance);
    const smoothAt = (s) => 1 - averagePrecision(s, relevance, (list) => sigmoidRanks(list, tau));
    const supAt = (s) => supAPLoss(s, relevance, tau, rho, delta).loss;
    const values = { scores, relevance, item, exact: null, smooth: null, sup: null, smooth_push: null, sup_push: null, flatters: null };
    if (there) {
      const smooth = smoothAPLoss(scores, relevance, tau), sup = supAPLoss(scores, relevance, tau, rho, delta);
      values.exact = exactAt(scores);
      Object.assign(values, { smooth: smooth.loss, sup: sup.loss, smooth_push: 0 - smooth.gradient[item], sup_push: 0 - sup.gradient[item] });
      values.flatters = values.smooth < values.exact - 1e-9; // rounding is no flattery
    }

    const x = linear(0, 1, LEFT, width - RIGHT), here = x(scores[item]);
    const rows = width < 600 ? 2 : 1, strip = 22 + rows * LANE, low = strip + LOSS[1];
    const picture = plot.clear(width, strip + HEIGHT);
    line(picture, x.start, strip, x.end, strip, "rb-axis");
    text(picture, 0, strip + LOSS[0] - 18, `loss, if the score of ${name} were`, "rb-muted", "start");
    numbers(picture, x, FIFTHS, low + 20);
    text(picture, x(0.5), strip + HEIGHT - 4, `score of ${name}`, "rb-muted");

    if (there) {
      const moved = (loss) => (value) => loss(replaced(scores, item, value));
      const losses = { exact: moved(exactAt), smooth: moved(smoothAt), sup: moved(supAt) };
      const seen = Array.from({ length: 101 }, (_, i) => losses.sup(i / 100));
      const top = Math.min(1, Math.ceil(Math.max(...seen, 0.2) * 5 + 0.2) / 5); // in fifths, so that the axis rests while an item moves
      const y = linear(0, top, low, strip + LOSS[0]);
      across(picture, x, y, FIFTHS.filter((tick) => tick <= top + 1e-9), (tick) => fixed(tick, 1));
      area(picture, x, y, losses.sup, losses.exact, { class: "rb-slack" });
      area(picture, x, y, (v) => Math.min(losses.smooth(v), losses.exact(v)), losses.exact, { class: "rb-plus", "fill-opacity": 0.5 });
      line(picture, here, strip, here, low, "rb-guide");
      curve(picture, x, y, losses.exact, "rb-exact");
      curve(picture, x, y, losses.smooth, "rb-smooth rb-dashed");
      curve(picture, x, y, losses.sup, "rb-sup");
      ["exact", "smooth", "sup"].forEach((look) => point(picture, here, y(values[look]), look));
    }
    const lane = lanes(scores, x, item), pitch = Math.min(LANE, (rows * LANE) / Math.max(1, ...lane));
    handles(n).forEach((handle, i) => {
      const look = relevance[i] ? "relevant" : "irrelevant";
      if (lane[i]) line(picture, x(scores[i]), strip - lane[i] * pitch, x(scores[i]), strip, "rb-guide rb-dotted");
      handle.place(x, strip - lane[i] * pitch, { now: scores[i], look, spoken: `score ${fixed(scores[i], 2)}, ${look}` });
    });

    showTau(tau);
    pushTile.rename(`SupAP pushes ${name}`);
    if (!there) [exactTile, smoothTile, supTile, pushTile].forEach((tile) => tile.show(null, "needs a relevant item"));
    else {
      const off = values.smooth - values.exact;
      const says = values.flatters ? `flatters by ${compact(-off)}` : `1 \u2212 AP + ${compact(Math.max(0, off))}`;
      exactTile.show(fixed(values.exact, 3), "the true error");
      smoothTile.show(fixed(values.smooth, 3), says);
      supTile.show(fixed(values.sup, 3), `1 \u2212 AP + ${compact(values.sup - values.exact)}`);
      const size = Math.abs(values.smooth_push);
      pushTile.show(compact(values.sup_push), `Smooth-AP: ${compact(values.smooth_push)}${size > 0 && size < DEAD ? ", dead" : ""}`);
    }
    const summary = there
      ? `1 minus AP ${fixed(values.exact, 3)}; Smooth-AP ${fixed(values.smooth, 3)}, ${values.flatters ? "flatters" : "not below"}; SupAP ${fixed(values.sup, 3)}, never below`
      : "Without a relevant item there is no loss";
    return { values, summary };
  };
}

// What lies between two curves.
function area(picture, x, y, upper, lower, look) {
  const back = [];
  for (let pixel = x.end; pixel >= x.start; pixel--) back.push(`L${pixel.toFixed(1)},${y(lower(x.invert(pixel))).toFixed(2)}`);
  svg(picture, "path", { d: `${trace(x, y, upper)}${back.join("")}Z`, ...look });
}

export default figure({
  label: "Exact, smooth and bounding loss of one list", traits: ["scores", "relevance", "item", "tau", "rho", "delta"],
  legend: [
    ["rb-stroke rb-exact", "1 \u2212 AP"], ["rb-stroke rb-smooth rb-dashed", "Smooth-AP"], ["rb-stroke rb-sup", "SupAP"],
    ["rb-dot rb-smooth", "where Smooth-AP flatters"],
  ],
  hint: "Drag an item.",
  build,
});
