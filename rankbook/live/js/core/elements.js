// Elements of the page, and numbers on their way to it: as text, and as pixels.
const NS = "http://www.w3.org/2000/svg";

function create(element, parent, attributes, text) {
  for (const [name, value] of Object.entries(attributes)) {
    if (Number.isNaN(value)) throw new Error(`${name} of a ${element.localName} is not a number`);
    element.setAttribute(name, value);
  }
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

export const html = (parent, tag, attributes = {}, text) => create(document.createElement(tag), parent, attributes, text);
export const svg = (parent, tag, attributes = {}, text) => create(document.createElementNS(NS, tag), parent, attributes, text);

// ---- numbers as text ----
const MINUS = "\u2212";
const SUPERSCRIPT = { "-": "\u207b", 0: "\u2070", 1: "\u00b9", 2: "\u00b2", 3: "\u00b3", 4: "\u2074", 5: "\u2075", 6: "\u2076", 7: "\u2077", 8: "\u2078", 9: "\u2079" };

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
export const power = (exponent) => "10" + [...String(exponent)].map((c) => SUPERSCRIPT[c]).join("");

export function fixed(value, digits) {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", MINUS);
}

// Three figures; powers of ten only where plain digits would mislead.
export function compact(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 0.001 && size < 10000) return fixed(value, clamp(2 - Math.floor(Math.log10(size)), 0, 4));
  const [mantissa, exponent] = value.toExponential(1).split("e");
  return `${mantissa.replace("-", MINUS)} \u00d7 ${power(Number(exponent))}`;
}

// Undefined without a relevant item: null.
export const metricText = (value) => (value === null ? "undefined" : fixed(value, 3));

// ---- scales: value -> pixel, and back; `start` and `end` are the pixels between which they run ----
export function linear(from, to, start, end) {
  const scale = (value) => start + ((value - from) / (to - from)) * (end - start);
  scale.invert = (pixel) => from + ((pixel - start) / (end - start)) * (to - from);
  return Object.assign(scale, { start, end });
}

// What is below `from` stays at `from`: a gradient that vanishes is drawn at the end of the axis.
export function logarithmic(from, to, start, end) {
  const inner = linear(Math.log10(from), Math.log10(to), start, end);
  const scale = (value) => inner(Math.log10(Math.max(value, from)));
  scale.invert = (pixel) => 10 ** inner.invert(pixel);
  return Object.assign(scale, { start, end });
}

// About `count` round numbers between 0 and `top`.
export function roundTicks(top, count = 3) {
  const raw = top / count;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * [1, 2, 5, 10].find((m) => m * unit >= raw);
  return Array.from({ length: Math.floor(top / step + 1e-9) + 1 }, (_, i) => i * step);
}
