// What charts are drawn with: a picture, lines and points in it, axes, curves, and the zone where a gradient is dead.
import { fixed, html, power, svg } from "./elements.js";

// A picture with room for handles on top. The numbers reach a screen reader through handles and tiles.
export function panel(parent) {
  const box = html(parent, "div", { class: "rb-panel" });
  const picture = svg(box, "svg", { "aria-hidden": "true" });
  return {
    box,
    clear(width, height) {
      picture.setAttribute("width", width);
      picture.setAttribute("height", height);
      picture.replaceChildren();
      return picture;
    },
  };
}

export const line = (parent, x1, y1, x2, y2, cls) => svg(parent, "line", { x1, y1, x2, y2, class: cls });
export const text = (parent, x, y, string, cls = "", anchor = "middle") => svg(parent, "text", { x, y, class: cls, "text-anchor": anchor }, string);
export const path = (parent, d, cls) => svg(parent, "path", { d, class: cls });
export const circle = (parent, cx, cy, r, cls) => svg(parent, "circle", { cx, cy, r, class: cls });
export const rect = (parent, x, y, width, height, cls, more = {}) => svg(parent, "rect", { x, y, width, height, class: cls, ...more });

// An item that is not dragged: a disc with its letter.
export function mark(picture, x, y, radius, look, letter) {
  circle(picture, x, y, radius, `rb-mark rb-${look}`);
  if (letter) text(picture, x, y + 4.5, letter, `rb-letter rb-${look}`);
}

// Where the state stands on a curve. The exact point is the largest, so that it shows around the others when they agree.
const RADIUS = { exact: 7.5, sup: 5.5, smooth: 4.5 };
export const point = (picture, x, y, look, radius = RADIUS[look]) => circle(picture, x, y, radius, `rb-point rb-${look}`);

// ---- axes ----
export const FIFTHS = [0, 0.2, 0.4, 0.6, 0.8, 1];

// The numbers of an axis on the line `at`.
export const numbers = (picture, x, ticks, at, label = (tick) => fixed(tick, 1)) =>
  ticks.forEach((tick) => text(picture, x(tick), at, label(tick), "rb-tick"));

// An axis, its numbers below, and its name below them: in the middle or at the end.
export function axis(picture, x, at, ticks, { label, name, below = 32, anchor = "middle" }) {
  line(picture, x.start, at, x.end, at, "rb-axis");
  numbers(picture, x, ticks, at + below, label);
  text(picture, anchor === "end" ? x.end : (x.start + x.end) / 2, at + below + 17, name, "rb-muted", anchor);
}

// A line across for each tick of y, its number at the left.
export function across(picture, x, y, ticks, label = String) {
  ticks.forEach((tick) => {
    line(picture, x.start, y(tick), x.end, y(tick), "rb-grid");
    text(picture, x.start - 9, y(tick) + 4, label(tick), "rb-tick", "end");
  });
}

// ---- curves ----
// One point a pixel: nothing that the screen can show is lost. Values below `floor` are left out.
export function trace(x, y, fn, { start = x.start, end = x.end, floor = -Infinity } = {}) {
  let d = "", pen = "M";
  for (let pixel = start; pixel <= end; pixel++) {
    const value = fn(x.invert(pixel));
    if (value >= floor) d += `${pen}${pixel.toFixed(1)},${y(value).toFixed(2)}`;
    pen = value >= floor ? "L" : "M";
  }
  return d;
}

export const curve = (picture, x, y, fn, look, ends) => path(picture, trace(x, y, fn, ends), `rb-curve ${look}`);

// ---- gradients: a log axis, and a gray zone where they are dead ----
export const DEAD = 1e-6;  // in float32, next to gradients of order 1, less than this leaves no trace
export const FLOOR = 1e-9; // where the log axis ends
export const DEAD_ENTRY = ["rb-swatch rb-dead", `dead: below ${power(-6)}`];

export function gradientAxis(picture, x, z, exponents) {
  rect(picture, x.start, z(DEAD), x.end - x.start, z.start - z(DEAD), "rb-dead");
  across(picture, x, z, exponents.map((exponent) => 10 ** exponent), (value) => power(Math.round(Math.log10(value))));
}
