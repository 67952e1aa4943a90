// What the reader acts with and reads from: handles, sliders, choices, number tiles.
import { clamp, fixed, html } from "./elements.js";

// ---- handles ----
// A round handle that moves along x, or wherever the scale's `invert(x, y)` takes it. `change(value)` takes a new value, rounded to `digits`; `nudge(value, steps)` says what
// arrow keys do, `activate()` what Enter, Space and a double tap do. With `anywhere`, a mouse may also press anywhere in
// the picture; touch stays free to scroll the page. It moves on the scale where it was placed last.
export function handle(box, { label, min, max, face, change, digits = 2, round, nudge = (value, steps) => value + steps / 100, activate, anywhere }) {
  const knob = html(box, "div", {
    class: "rb-handle", role: "slider", tabindex: "0", "data-drag": "x", "aria-label": label, "aria-valuemin": min, "aria-valuemax": max,
    "aria-orientation": "horizontal",
  });
  html(knob, "span", { class: "rb-face" }, face);
  const tip = html(knob, "span", { class: "rb-tip" });
  let scale, value;
  const rounded = round ?? ((next) => Math.round(next * 10 ** digits) / 10 ** digits);
  const move = (next) => change(clamp(rounded(clamp(next, min, max)), min, max));

  let grip = null, travelled = 0, lastTap = -Infinity;
  knob.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    knob.focus({ preventScroll: true });
    knob.setPointerCapture(event.pointerId);
    // Keep the distance between pointer and center, so that the handle does not jump when it is taken.
    grip = { x: scale(value) - event.clientX, y: parseFloat(knob.style.top) - event.clientY, start: [event.clientX, event.clientY] };
    travelled = 0;
    knob.classList.add("rb-held");
  });
  knob.addEventListener("pointermove", (event) => {
    if (!grip) return;
    const [x, y] = grip.start;
    travelled = Math.max(travelled, Math.hypot(event.clientX - x, event.clientY - y));
    if (travelled >= 2) move(scale.invert(event.clientX + grip.x, event.clientY + grip.y));
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
    if (steps) move(nudge(value, steps));
    else if (event.key === "Home") move(min);
    else if (event.key === "End") move(max);
    else if (activate && (event.key === "Enter" || event.key === " ")) activate();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  if (anywhere) {
    const follow = (event) => move(scale.invert(event.clientX - box.getBoundingClientRect().left));
    box.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "mouse" || event.button || event.target.closest(".rb-handle")) return;
      event.preventDefault();
      knob.focus({ preventScroll: true });
      box.setPointerCapture(event.pointerId);
      follow(event);
    });
    box.addEventListener("pointermove", (event) => { if (box.hasPointerCapture(event.pointerId)) follow(event); });
  }

  return {
    knob,
    // `spoken` is what a screen reader hears, `shown` what stands above the handle.
    place(x, y, { now, spoken, shown = fixed(now, digits), look = "neutral" }) {
      [scale, value] = [x, now];
      // x follows the pointer at once; only y may glide (see live.css).
      knob.style.left = `${x(now)}px`;
      knob.style.top = `${y}px`;
      knob.setAttribute("aria-valuenow", now);
      knob.setAttribute("aria-valuetext", spoken);
      tip.textContent = shown;
      knob.dataset.look = look;
    },
  };
}

// Temperatures live on a log axis and are kept to three figures, so that a state is short to read.
export const onLogAxis = { round: (value) => Number(value.toPrecision(3)), nudge: (value, steps) => value * 10 ** (steps * 0.02) };

// A native slider from `min` to `max`; `shown(value)` is what the reader sees beside it.
export function slider(parent, { label, min, max, step, change, shown = String }) {
  const row = html(parent, "label", { class: "rb-slider" });
  html(row, "span", {}, label);
  const input = html(row, "input", { type: "range", min, max, step });
  const number = html(row, "span", { class: "rb-slider-number" });
  input.addEventListener("input", () => change(Number(input.value)));
  return (value, text = shown(value)) => {
    input.value = value;
    input.setAttribute("aria-valuetext", text);
    number.textContent = text;
  };
}

// In whole steps of about 5 %, so that both ends are reached.
export function logSlider(parent, { label, min, max, change }) {
  const steps = Math.round(Math.log10(max / min) / 0.02);
  const show = slider(parent, {
    label, min: 0, max: steps, step: 1, change: (at) => change(clamp(onLogAxis.round(min * (max / min) ** (at / steps)), min, max)),
  });
  return (value) => show(Math.round((steps * Math.log(value / min)) / Math.log(max / min)), String(value));
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

export function button(parent, label, press, attributes = {}) {
  const made = html(parent, "button", { type: "button", class: "rb-button", ...attributes }, label);
  made.addEventListener("click", press);
  return made;
}

// ---- number tiles ----
// One tile for each name, in a row; in the first `bars` a meter shows `share`. show(null, ...) is a number that is undefined here.
export function tiles(root, names, { bars = 0 } = {}) {
  const row = html(root, "div", { class: "rb-tiles", "data-count": names.length });
  return names.map((label, i) => {
    const box = html(row, "div", { class: "rb-tile" });
    const head = html(box, "div", { class: "rb-tile-head" });
    const name = html(head, "span", {}, label);
    const number = html(box, "div", { class: "rb-number" });
    const fill = i < bars && html(html(box, "div", { class: "rb-meter" }), "i");
    const note = html(box, "div", { class: "rb-note" });
    return {
      head,
      rename: (string) => { name.textContent = string; },
      show(string, remark, share = 0) {
        number.textContent = string ?? "\u2013";
        note.textContent = remark;
        if (fill) fill.style.width = `${100 * share}%`;
      },
    };
  });
}
