// What all live figures share: mounting and redrawing, axes, drag handles, sliders, number tiles.
// A figure is drawn in CSS pixels for the measured width, so that type and handles keep their size on a phone.

const NS = "http://www.w3.org/2000/svg";

function create(element, parent, attributes, text) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
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

// ---- scales: value -> pixel, and back ----
export function linear(from, to, start, end) {
  const scale = (value) => start + ((value - from) / (to - from)) * (end - start);
  scale.invert = (pixel) => from + ((pixel - start) / (end - start)) * (to - from);
  return scale;
}

export function logarithmic(from, to, start, end) {
  const inner = linear(Math.log10(from), Math.log10(to), start, end);
  const scale = (value) => inner(Math.log10(value));
  scale.invert = (pixel) => 10 ** inner.invert(pixel);
  return scale;
}

// About `count` round numbers between 0 and `top`.
export function roundTicks(top, count = 3) {
  const raw = top / count;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * [1, 2, 5, 10].find((m) => m * unit >= raw);
  return Array.from({ length: Math.floor(top / step + 1e-9) + 1 }, (_, i) => i * step);
}

// One point a pixel: nothing that the screen can show is lost. Values below `floor` are left out.
export function curve(x, y, fn, start, end, floor = -Infinity) {
  let d = "", pen = "M";
  for (let pixel = start; pixel <= end; pixel++) {
    const value = fn(x.invert(pixel));
    if (value >= floor) d += `${pen}${pixel.toFixed(1)},${y(value).toFixed(2)}`;
    pen = value >= floor ? "L" : "M";
  }
  return d;
}

// ---- the frame of every figure ----
// spec.build(ui) makes the elements once and returns draw(width), which returns { values, summary }:
// the numbers on display, and a sentence that a screen reader hears when the reader comes to rest.
export function figure({ label, traits, build }) {
  function render({ model, el }) {
    // JupyterLab takes arrow keys and Enter for the notebook unless told not to.
    const root = html(el, "div", { class: "rb-fig", role: "group", "aria-label": label, "data-lm-suppress-shortcuts": "true" });
    const get = (name) => model.get(name);
    const set = (state) => {
      Object.entries(state).forEach(([name, value]) => model.set(name, value));
      model.save_changes();
    };
    const start = Object.fromEntries(traits.map((name) => [name, get(name)]));

    const bar = html(root, "div", { class: "rb-bar" });
    const legend = html(bar, "div", { class: "rb-legend" });
    const reset = html(bar, "button", { type: "button", class: "rb-button rb-reset" }, "Reset");
    reset.addEventListener("click", () => set(start));

    const draw = build({ root, legend, get, set });
    const status = html(root, "p", { class: "rb-hidden", role: "status" });

    let width = 0, speech;
    const redraw = () => {
      const { values, summary } = draw(Math.max(width, 280));
      root.dataset.values = JSON.stringify(values);
      return summary;
    };
    const changed = () => {
      const summary = redraw();
      clearTimeout(speech);
      speech = setTimeout(() => { status.textContent = summary; }, 700);
    };
    const measure = () => {
      if (root.clientWidth === width && width > 0) return;
      width = root.clientWidth;
      redraw();
    };
    const observer = new ResizeObserver(measure);
    observer.observe(root);
    measure();
    traits.forEach((name) => model.on(`change:${name}`, changed));
    return () => {
      observer.disconnect();
      clearTimeout(speech);
      traits.forEach((name) => model.off(`change:${name}`, changed));
    };
  }
  return { render };
}

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

export function legendEntry(parent, cls, label) {
  const entry = html(parent, "span", { class: "rb-entry" });
  html(entry, "i", { class: cls });
  entry.append(label);
}

// ---- handles ----
// A round handle that moves along x. `scale()` is the current axis, `value()` the current value, `change(value)` takes
// a new one, `nudge(value, steps)` says what arrow keys do, `activate()` what Enter, Space and a double tap do.
export function handle(box, { label, min, max, scale, value, change, nudge, activate, face }) {
  const knob = html(box, "div", {
    class: "rb-handle", role: "slider", tabindex: "0", "data-drag": "x", "aria-label": label, "aria-valuemin": min, "aria-valuemax": max,
    "aria-orientation": "horizontal",
  });
  html(knob, "span", { class: "rb-face" }, face);
  const tip = html(knob, "span", { class: "rb-tip" });
  const move = (next) => change(clamp(next, min, max));

  let grip = null, travelled = 0, lastTap = -Infinity;
  knob.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    knob.focus({ preventScroll: true });
    knob.setPointerCapture(event.pointerId);
    // Keep the distance between pointer and center, so that the handle does not jump when it is taken.
    grip = { offset: scale()(value()) - event.clientX, start: event.clientX };
    travelled = 0;
    knob.classList.add("rb-held");
  });
  knob.addEventListener("pointermove", (event) => {
    if (!grip) return;
    travelled = Math.max(travelled, Math.abs(event.clientX - grip.start));
    if (travelled >= 2) move(scale().invert(event.clientX + grip.offset));
  });
  const release = (event) => {
    if (!grip) return;
    grip = null;
    knob.classList.remove("rb-held");
    if (!activate || event.type !== "pointerup" || travelled > 4) return;
    const again = event.timeStamp - lastTap < 450;
    lastTap = again ? -Infinity : event.timeStamp;
    if (again) activate();
  };
  knob.addEventListener("pointerup", release);
  knob.addEventListener("pointercancel", release);

  knob.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const size = event.shiftKey ? 10 : 1;
    const steps = { ArrowRight: size, ArrowUp: size, ArrowLeft: -size, ArrowDown: -size, PageUp: 10, PageDown: -10 }[event.key];
    if (steps) move(nudge(value(), steps));
    else if (event.key === "Home") move(min);
    else if (event.key === "End") move(max);
    else if (activate && (event.key === "Enter" || event.key === " ")) activate();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  return {
    knob,
    place(x, y, { now, spoken, shown, cls = "" }) {
      // x follows the pointer at once; only y may glide (see live.css).
      knob.style.left = `${x}px`;
      knob.style.top = `${y}px`;
      knob.setAttribute("aria-valuenow", now);
      knob.setAttribute("aria-valuetext", spoken);
      tip.textContent = shown;
      knob.dataset.look = cls;
    },
  };
}

// With a mouse one may also press anywhere in the picture; touch stays free to scroll the page.
export function pressAnywhere(box, knob, scale, change) {
  const follow = (event) => change(scale().invert(event.clientX - box.getBoundingClientRect().left));
  box.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse" || event.button || event.target.closest(".rb-handle")) return;
    event.preventDefault();
    knob.focus({ preventScroll: true });
    box.setPointerCapture(event.pointerId);
    follow(event);
  });
  box.addEventListener("pointermove", (event) => { if (box.hasPointerCapture(event.pointerId)) follow(event); });
}

// Temperatures live on a log axis and are kept to three figures, so that a state is short to read.
export const threeFigures = (value) => Number(value.toPrecision(3));
export const nudgeLog = (value, steps) => value * 10 ** (steps * 0.02);

// A native slider in whole steps of about 5 %, so that both ends are reached.
export function logSlider(parent, { label, min, max, change }) {
  const steps = Math.round(Math.log10(max / min) / 0.02);
  const row = html(parent, "label", { class: "rb-slider" });
  html(row, "span", {}, label);
  const input = html(row, "input", { type: "range", min: 0, max: steps, step: 1 });
  const number = html(row, "span", { class: "rb-slider-number" });
  input.addEventListener("input", () => change(clamp(threeFigures(min * (max / min) ** (input.value / steps)), min, max)));
  return (value) => {
    input.value = Math.round((steps * Math.log(value / min)) / Math.log(max / min));
    input.setAttribute("aria-valuetext", String(value));
    number.textContent = String(value);
  };
}

// Native radio buttons in one row: arrow keys and screen readers know them. `names`: value -> what the reader sees.
let groups = 0;

export function choices(root, { label, names, change }) {
  const group = html(root, "div", { class: "rb-choices", role: "radiogroup", "aria-label": label });
  const name = `rb-choice-${groups++}`;
  const inputs = Object.entries(names).map(([value, shown]) => {
    const choice = html(group, "label", { class: "rb-choice" });
    const input = html(choice, "input", { type: "radio", name, value });
    html(choice, "span", {}, shown);
    input.addEventListener("change", () => change(value));
    return input;
  });
  return (value) => inputs.forEach((input) => { input.checked = input.value === value; });
}

// ---- number tiles ----
export const tiles = (root, count) => html(root, "div", { class: "rb-tiles", "data-count": count });

export function tile(parent, label, { bar = false } = {}) {
  const box = html(parent, "div", { class: "rb-tile" });
  const head = html(box, "div", { class: "rb-tile-head" });
  const name = html(head, "span", {}, label);
  const number = html(box, "div", { class: "rb-number" });
  const fill = bar && html(html(box, "div", { class: "rb-meter" }), "i");
  const note = html(box, "div", { class: "rb-note" });
  return {
    head,
    rename: (string) => { name.textContent = string; },
    show(string, remark, share = 0) {
      number.textContent = string;
      note.textContent = remark;
      if (fill) fill.style.width = `${100 * share}%`;
    },
  };
}
