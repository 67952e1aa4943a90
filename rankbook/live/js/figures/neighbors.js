// The nearest neighbors of a query by two models; the queries stand in the order of the difference of their AP.
import { choices, handle, tiles } from "../core/controls.js";
import { clamp, fixed, html, linear } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { line, panel, rect, text } from "../core/marks.js";

const COLUMNS = 16;                        // pictures in a row of the sprite
const TOP = 22, BARS = 84, SIDE = 36;      // the differences, above and below the axis
const lines = (string) => string.split("\n");

// A row of pictures: as parts of the sprite, or as the characters of their names.
function strip(root) {
  const row = html(root, "div", { class: "rb-strip", role: "img" });
  let cells = [];
  return function show(title, places, marks, catalog, pictures) {
    if (cells.length !== places.length) {
      row.replaceChildren();
      cells = places.map(() => html(row, "span", { class: "rb-look" }));
    }
    const spoken = places.map((place, i) => `${lines(catalog)[place].split(" ").slice(1).join(" ")}${["", ", hit", ", miss"][marks[i]]}`);
    row.setAttribute("aria-label", `${title}: ${spoken.join("; ")}`);
    cells.forEach((cell, i) => {
      const [glyph] = lines(catalog)[places[i]].split(" ");
      cell.dataset.mark = ["query", "hit", "miss"][marks[i]];
      cell.textContent = pictures ? "" : glyph;
      if (!pictures) return;
      const rows = Math.ceil(lines(catalog).length / COLUMNS), at = (place, of) => (of > 1 ? (100 * place) / (of - 1) : 0);
      cell.style.backgroundImage = `url(data:image/webp;base64,${pictures})`;
      cell.style.backgroundSize = `${100 * COLUMNS}% ${100 * rows}%`;
      cell.style.backgroundPosition = `${at(places[i] % COLUMNS, COLUMNS)}% ${at(Math.floor(places[i] / COLUMNS), rows)}%`;
    });
  };
}

function build({ root, get, set }) {
  const names = Object.fromEntries(lines(get("models")).map((name, m) => [m, name]));
  const head = html(root, "div", { class: "rb-strips" }), showQuery = strip(head), title = html(head, "span", { class: "rb-strong" });
  const sides = ["first", "second"].map((side) => {
    const box = html(root, "div", { class: "rb-below" });
    return { side, choose: choices(box, { label: `${side} model`, names, change: (model) => set({ [side]: Number(model) }) }), show: strip(box) };
  });
  const plot = panel(html(root, "div", { class: "rb-below" }));
  const shown = tiles(root, ["AP, first", "AP, second", "Second is better"]);
  let knob, last, order;

  return function draw(width, state) {
    const { query, first, second, catalog, classes, queries, found, ap, pictures } = state, count = queries.length, k = found.length / ap.length;
    const of = (model) => ap.slice(model * count, (model + 1) * count), ours = of(first), theirs = of(second);
    const gains = theirs.map((value, q) => value - ours[q]), wins = gains.filter((gain) => gain > 0).length;
    order = gains.map((_, q) => q).sort((a, b) => gains[a] - gains[b] || a - b);
    if (last !== count) {
      knob?.knob.remove();
      knob = handle(plot.box, { label: "query", min: 0, max: count - 1, face: "", digits: 0, nudge: (place, steps) => place + steps, change: (place) => set({ query: order[place] }) });
      last = count;
    }
    const own = classes[queries[query]], models = lines(state.models), values = { order, gains, wins };
    title.textContent = `Who looks like this? (${lines(catalog)[queries[query]].split(" ").slice(1).join(" ")})`;
    showQuery("query", [queries[query]], [0], catalog, pictures);
    sides.forEach(({ choose, show }, i) => {
      const model = [first, second][i], start = (model * count + query) * k, list = found.slice(start, start + k);
      const hits = list.map((one) => Number(classes[one] === own)), name = ["left", "right"][i];
      choose(String(model));
      show(models[model], list, hits.map((hit) => (hit ? 1 : 2)), catalog, pictures);
      Object.assign(values, { [`${name}_found`]: list, [`${name}_hits`]: hits, [`${name}_ap`]: ap[model * count + query] });
      shown[i].show(fixed(values[`${name}_ap`], 3), models[model]);
    });

    const picture = plot.clear(width, TOP + 2 * BARS + 48), x = linear(0, count - 1, SIDE, width - SIDE);
    const top = Math.max(0.05, ...gains.map(Math.abs)), y = linear(-top, top, TOP + 2 * BARS, TOP), bar = clamp((0.7 * (x.end - x.start)) / count, 2, 22);
    text(picture, 0, 12, `AP of ${models[second]} minus AP of ${models[first]}, ${count} queries`, "rb-muted", "start");
    line(picture, 0, y(0), width, y(0), "rb-axis");
    order.forEach((q, place) => {
      const up = gains[q] > 0, at = y(gains[q]);
      rect(picture, x(place) - bar / 2, Math.min(at, y(0)), bar, Math.abs(at - y(0)), `rb-mark rb-${up ? "relevant" : "irrelevant"}`);
      if (q === query) text(picture, x(place), y(0) + (up ? 16 : -6), (up ? "+" : "") + fixed(gains[q], 2), "rb-strong");
    });
    const place = order.indexOf(query);
    knob.place(x, TOP + 2 * BARS + 24, { now: place, shown: `${place + 1} of ${count}`, spoken: `query ${place + 1} of ${count}, difference ${fixed(gains[query], 3)}` });
    shown[2].show(`${wins} of ${count}`, "of these queries");
    return { values, summary: `AP ${fixed(values.left_ap, 3)} and ${fixed(values.right_ap, 3)}` };
  };
}

export default figure({
  label: "Nearest neighbors by two models",
  traits: ["query", "first", "second", "catalog", "models", "classes", "queries", "found", "ap", "pictures"],
  legend: [["rb-dot rb-relevant", "hit"], ["rb-dot rb-irrelevant", "miss"]],
  hint: "Choose two models; drag through the queries.",
  build,
});
