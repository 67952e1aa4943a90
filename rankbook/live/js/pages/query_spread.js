// Every query a dot at its value of one metric. Point at one, or move the slider, to see its list.
import { axis, circle, FIFTHS, panel, rect, text } from "../core/marks.js";
import { clamp, fixed, html, linear } from "../core/elements.js";
import { worstOrder } from "../shared/metrics.js";
import { number, shown, sorted } from "../shared/score_report.js";
import { tableOf } from "./score_tables.js";

const DOT = 9, TALL = 126, TOP = 26, MOST = 1500;  // more queries than that are drawn as bars
const FIRST = 10;  // places of a list that are written out

// Places of a list as marks along a line, and the first of them in words.
function showList(parent, { query, scores, relevance }, name, value) {
  const ranks = worstOrder(scores, relevance), order = [];
  ranks.forEach((rank, i) => { order[rank - 1] = i; });
  const places = order.flatMap((i, p) => (relevance[i] > 0 ? [p + 1] : []));
  const title = html(parent, "p", { class: "rb-query" });
  html(title, "strong", {}, query);
  const first = places.slice(0, 12).map(number).join(", ") + (places.length > 12 ? "..." : "");
  title.append(`: ${name} ${shown(value)}. Relevant at ${places.length > 1 ? "ranks" : "rank"} ${first} of ${number(order.length)}.`);
  const plot = panel(parent), width = Math.max(240, parent.clientWidth), x = linear(1, Math.max(2, order.length), 8, width - 8), picture = plot.clear(width, 30);
  rect(picture, 0, 12, width, 2, "rb-dead");
  places.forEach((place) => rect(picture, x(place) - 1.5, 3, 3, 20, "rb-place"));
  const tie = (p) => {
    const same = (q) => order[q] !== undefined && scores[order[q]] === scores[order[p]];
    let from = p, to = p;
    while (same(from - 1)) from--;
    while (same(to + 1)) to++;
    return from === to ? String(p + 1) : `${p + 1} (tie ${from + 1}\u2013${to + 1})`;
  };
  const rows = order.slice(0, FIRST).map((i, p) => [tie(p), ...[scores[i], relevance[i]].map((value) => String(Number(value.toPrecision(6))))]);
  tableOf(parent, { head: ["rank", "score", "relevance"], rows }, "The first places of the list");
}

// The picture and its slider stand in `parent`, the list in `list`.
export function querySpread(parent, list, report, metric) {
  const order = sorted(report, metric), { name } = report.metrics[metric];
  if (!order.length) return { pick() {} };
  const low = Math.min(0, Math.floor(order[0].value)), plot = panel(parent);
  const row = html(parent, "label", { class: "rb-slider" });
  html(row, "span", {}, "query, lowest first");
  const input = html(row, "input", { type: "range", min: 1, max: order.length, step: 1, value: 1 });
  const nth = html(row, "span", { class: "rb-slider-number" });
  let spots = [], picture, ring, x, now = 0;

  function pick(index) {
    now = clamp(index, 0, order.length - 1);
    const { list: of, value } = order[now];
    input.value = now + 1;
    input.setAttribute("aria-valuetext", `${of.query}, ${name} ${fixed(value, 3)}`);
    nth.textContent = number(now + 1);
    list.replaceChildren();
    showList(list, of, name, value);
    ring?.remove();
    ring = circle(picture, spots[now].x, spots[now].y, DOT / 2 + 2, "rb-ring");
  }

  function draw() {
    const width = Math.max(240, plot.box.clientWidth), columns = Math.floor((width - 24) / DOT), stacks = [];
    x = linear(low, 1, 12, width - 12);
    const at = order.map(({ value }) => {
      const c = clamp(Math.round(((value - low) / (1 - low)) * columns), 0, columns);
      stacks[c] = (stacks[c] ?? 0) + 1;
      return [c, stacks[c]];
    });
    const most = stacks.reduce((top, n) => Math.max(top, n), 0), step = Math.min(DOT, TALL / most), foot = TOP + Math.max(40, most * step);
    picture = plot.clear(width, foot + 50);
    const middle = (c) => x.start + (c / columns) * (x.end - x.start), height = (n) => foot - n * step - 2;
    spots = at.map(([c, n]) => ({ x: middle(c), y: height(n - 0.5) }));
    if (order.length > MOST) stacks.forEach((n, c) => rect(picture, middle(c) - DOT / 2, height(n), DOT - 1, n * step, "rb-place"));
    else spots.forEach((spot) => circle(picture, spot.x, spot.y, DOT / 2 - 0.5, "rb-spot"));
    axis(picture, x, foot, low < 0 ? [-1, -0.5, 0, 0.5, 1] : FIFTHS, { label: (tick) => fixed(tick, 1), name: `${name} of a query`, below: 18 });
    text(picture, 0, 12, `${number(order.length)} ${order.length === 1 ? "query" : "queries"}`, "rb-muted", "start");
  }

  // The nearest dot: first by column, then by height.
  const point = (event) => {
    const box = plot.box.getBoundingClientRect(), px = event.clientX - box.left, py = event.clientY - box.top;
    const far = ({ x: sx, y: sy }) => Math.abs(sx - px) * 8 + Math.abs(sy - py);
    const nearest = spots.reduce((best, spot, i) => (far(spot) < far(spots[best]) ? i : best), 0);
    if (nearest !== now) pick(nearest);
  };
  plot.box.addEventListener("pointermove", point);
  plot.box.addEventListener("pointerdown", point);
  input.addEventListener("input", () => pick(Number(input.value) - 1));
  let width = 0;
  new ResizeObserver(() => {
    if (plot.box.clientWidth === width) return;
    width = plot.box.clientWidth;
    draw();
    pick(now);
  }).observe(plot.box);
  return { pick: (query) => pick(order.findIndex(({ list: { query: other } }) => other === query)) };
}
