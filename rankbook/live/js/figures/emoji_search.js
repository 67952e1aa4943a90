// A search box: the words of a query are summed by two models, and each shows the items of the largest cosine.
import { handle, tiles } from "../core/controls.js";
import { fixed, html, linear } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { axis, line, panel, rect, text } from "../core/marks.js";

const LIMIT = 60, SHOWN = 5;
const ROW = 30, TOP = 84, LONGEST = 26;

const lines = (string) => string.split("\n");

function unpacked(vectors, words, items) {
  const codes = Int8Array.from(atob(vectors), (c) => c.charCodeAt(0)), dims = codes.length / 2 / (words + items);
  const rows = Array.from({ length: 2 * (words + items) }, (_, i) => codes.subarray(i * dims, (i + 1) * dims));
  return [0, words + items].map((start) => ({ words: rows.slice(start, start + words), items: rows.slice(start + words, start + words + items) }));
}

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const rounded = (value) => Math.round(value * 1e9) / 1e9;

// The best items and their cosines.
function search({ words, items }, known, weight) {
  const vector = Array.from(words[0], () => 0);
  known.forEach((word, place) => {
    const share = known.length === 1 ? 1 : place === known.length - 1 ? weight : 1 - weight;
    words[word].forEach((value, i) => { vector[i] += share * value; });
  });
  const length = Math.sqrt(dot(vector, vector));
  if (!length) return [];
  const scores = items.map((item) => dot(vector, item) / (Math.sqrt(dot(item, item)) * length));
  return scores.map((score, item) => ({ item, score })).sort((a, b) => rounded(b.score) - rounded(a.score) || a.item - b.item).slice(0, SHOWN);
}

function build({ root, get, set }) {
  const row = html(root, "label", { class: "rb-slider" });
  html(row, "span", {}, "search");
  const box = html(row, "input", { type: "search", maxlength: LIMIT, class: "rb-search", autocomplete: "off", spellcheck: "false" });
  box.addEventListener("input", () => set({ query: box.value }));
  const plot = panel(root);
  const knob = handle(plot.box, { label: "weight of the last word", min: 0, max: 1, face: "", change: (weight) => set({ weight }) });
  const [knownTile, sharedTile] = tiles(root, ["Words known", "Found by both"]);
  let read, packed = {};   // unpacked once

  return function draw(width, { query, weight, vocabulary, catalog, models, vectors }) {
    if (packed.vectors !== vectors) {
      packed = { vectors, place: new Map(lines(vocabulary).map((word, i) => [word, i])), items: lines(catalog) };
      read = unpacked(vectors, packed.place.size, packed.items.length);
    }
    if (box.value !== query) box.value = query;
    const asked = query.toLowerCase().match(/[a-z0-9]+/g) ?? [], known = [...new Set(asked.filter((word) => packed.place.has(word)).map((word) => packed.place.get(word)))];
    const [first, second] = read.map((model) => search(model, known, weight)), sides = [first, second];
    const shared = first.filter(({ item }) => second.some((other) => other.item === item)).length;

    const stacked = width < 600, height = TOP + (stacked ? 2 : 1) * (SHOWN + 1) * ROW + (stacked ? 18 : 0), column = stacked ? width : width / 2 - 12;
    const picture = plot.clear(width, height), x = linear(0, 1, 24, width - 24), all = lines(vocabulary);
    line(picture, x.start, 26, x.end, 26, "rb-axis");
    const last = known.length > 1 ? all[known.at(-1)] : "the last word";
    axis(picture, x, 26, [], { name: "" });
    text(picture, 0, 60, known.length > 1 ? known.slice(0, -1).map((i) => all[i]).join(" ").slice(0, 24) : "the other words", "rb-muted", "start");
    text(picture, width, 60, last, "rb-muted", "end");
    knob.place(x, 26, { now: weight, spoken: `${last} weighs ${fixed(weight, 2)}` });
    lines(models).forEach((name, side) => {
      const left = stacked ? 0 : side * (width / 2 + 12), top = TOP + (stacked ? side * ((SHOWN + 1) * ROW + 18) : 0);
      text(picture, left, top + 12, name, "rb-strong", "start");
      sides[side].forEach(({ item, score }, place) => {
        const [glyph, ...words] = packed.items[item].split(" "), y = top + (place + 1) * ROW, title = words.join(" ");
        rect(picture, left, y - 4, Math.max(0, score) * column, 24, "rb-found");
        text(picture, left + 16, y + 13, glyph, "rb-glyph");
        text(picture, left + 34, y + 13, title.length > LONGEST ? `${title.slice(0, LONGEST - 1)}\u2026` : title, "", "start");
        text(picture, left + column, y + 13, fixed(score, 2), "rb-muted", "end");
      });
    });
    knownTile.show(`${known.length} of ${asked.length}`, known.length ? "words of the query that the models have seen" : "try cat, heart, sun, train");
    sharedTile.show(String(shared), `of the ${SHOWN} that each model shows`);

    const values = {
      known, shared, first: first.map(({ item }) => item), second: second.map(({ item }) => item),
      first_scores: first.map(({ score }) => score), second_scores: second.map(({ score }) => score),
    };
    const best = sides.map((side, i) => `${lines(models)[i]}: ${side.length ? packed.items[side[0].item] : "nothing"}`);
    return { values, summary: `${known.length} of ${asked.length} words known; ${best.join("; ")}` };
  };
}

export default figure({
  label: "Search by two models", traits: ["query", "weight", "vocabulary", "catalog", "models", "vectors"],
  hint: "Type words; drag to weigh the last one.",
  build,
});
