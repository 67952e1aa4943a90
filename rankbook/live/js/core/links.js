// What moves together in a page: figures of one link share the traits that they have in common, words in the prose set or follow them.
// <span class="rb-drag" data-link="list" data-trait="tau" data-min="0.01" data-max="0.3" data-step="0.01">0.05</span>
// <span class="rb-value" data-link="list" data-value="average_precision" data-digits="3">0.722</span>
import { clamp, fixed } from "./elements.js";

const groups = {};
const words = (kind, link) => [...document.querySelectorAll(`.rb-${kind}[data-link]`)].filter((word) => word.dataset.link === link);
const digitsOf = (text) => (text.trim().split(".")[1] ?? "").length;

function group(link) {
  return (groups[link] ??= { state: {}, models: [], drags: words("drag", link), values: words("value", link) });
}

const write = (word, value) => {
  word.dataset.digits ??= digitsOf(word.textContent);
  if (typeof value === "number") word.textContent = fixed(value, Number(word.dataset.digits));
  else if (value === null) word.textContent = "\u2013";  // undefined here
};

// Every model of the group that has this trait takes the value; so do the words that set it.
function spread(of, name, value, from) {
  of.state[name] = value;
  of.models.filter((model) => model !== from && model.shares(name)).forEach((model) => model.take(name, value));
  of.drags.filter((word) => word.dataset.trait === name).forEach((word) => {
    word.setAttribute("aria-valuenow", value);
    write(word, value);
  });
}

// A figure that is mounted joins its group: it takes what has moved already, and what it shows reaches the prose. One that shares some
// of its traits only is another view of the same thing: its numbers stay its own.
export function join(link, model, place) {
  const of = group(link), chosen = place.dataset.linkTraits?.split(" ");
  of.models.push(model);
  model.shares = (name) => model.has(name) && (!chosen || chosen.includes(name));
  model.shared = (name, value) => { if (model.shares(name)) spread(of, name, value, model); };
  Object.entries(of.state).filter(([name]) => model.shares(name)).forEach(([name, value]) => model.take(name, value));
  if (chosen) return;
  const follow = (shown) => of.values.forEach((word) => write(word, shown[word.dataset.value]));
  place.addEventListener("rb-values", (event) => follow(event.detail));
}

// A number in the prose that can be dragged sideways, or moved by arrow keys: a slider as small as a word.
export function makeDraggable() {
  document.querySelectorAll(".rb-drag[data-link]").forEach((word) => {
    const { trait, link, min, max, step = 0.01 } = word.dataset;
    const low = Number(min), high = Number(max), size = Number(step), digits = digitsOf(String(step));
    const of = group(link);
    word.dataset.digits ??= Math.max(digits, digitsOf(word.textContent));
    let grip = null;
    const now = () => Number(word.getAttribute("aria-valuenow"));
    const set = (value) => spread(of, trait, Number(clamp(Math.round(value / size) * size, low, high).toFixed(Math.max(digits, 0))), null);
    const attributes = {
      role: "slider", tabindex: 0, "aria-valuemin": low, "aria-valuemax": high, "aria-valuenow": Number(word.textContent),
      "aria-label": word.dataset.label ?? trait, title: "Drag me sideways, or use the arrow keys",
    };
    Object.entries(attributes).forEach(([name, value]) => word.setAttribute(name, value));
    word.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault();
      word.focus({ preventScroll: true });
      word.setPointerCapture(event.pointerId);
      grip = { from: event.clientX, at: now() };
    });
    word.addEventListener("pointermove", (event) => {
      if (grip) set(grip.at + ((event.clientX - grip.from) / 200) * (high - low));  // 200 px cross the whole range
    });
    ["pointerup", "pointercancel"].forEach((kind) => word.addEventListener(kind, () => { grip = null; }));
    word.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
      if (steps) set(now() + steps * size * (event.shiftKey ? 10 : 1));
      else if (event.key === "Home") set(low);
      else if (event.key === "End") set(high);
      else return;
      event.preventDefault();
    });
  });
}
