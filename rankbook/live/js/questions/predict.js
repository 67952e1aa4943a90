// A question before the answer: choose, type a number, or drag to a place; after the try the answer appears, with a word on why.
import { button, handle } from "../core/controls.js";
import { clamp, html, linear } from "../core/elements.js";
import { axis, line, panel, text } from "../core/marks.js";

let count = 0;

// Texts come from the notebook as escaped HTML with `code` and emphasis (rankbook/live/predict.py).
function rich(parent, tag, attributes, markup) {
  const element = html(parent, tag, attributes);
  element.innerHTML = markup;
  return element;
}

// "0,5", ".5", "1/30" and a typographic minus are numbers; so is "33 %", as 33 where the answer is in percent, else as .33.
function parse(typed, unit) {
  const clean = typed.trim().replace(",", ".").replace("\u2212", "-").replace(/\s/g, "");
  const parts = clean.match(/^([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(?:\/(\d+\.?\d*|\.\d+))?(%?)$/i);
  return parts ? Number(parts[1]) / Number(parts[2] ?? 1) / (parts[3] && unit !== "%" ? 100 : 1) : NaN;
}

// Each kind of question fills the row and returns { done(right), check }: what it shows in the end, and what "Check" does.
function choose({ row, get, answer }) {
  const buttons = get("options").map((option, i) => {
    const made = button(row, "", () => {
      buttons.forEach((other, j) => other.setAttribute("aria-pressed", String(j === i)));
      if (i !== get("right")) Object.assign(made.dataset, { mark: "wrong" });
      if (i !== get("right")) made.disabled = get("again");
      answer(i === get("right"));
    }, { class: "rb-button rb-ask-option", "aria-pressed": "false" });
    html(made, "span", { class: "rb-ask-sign", "aria-hidden": "true" });
    rich(made, "span", {}, option);
    return made;
  });
  return {
    done() {
      buttons.forEach((made) => { made.disabled = true; });
      buttons[get("right")].dataset.mark = "right";
    },
  };
}

function type({ row, get, id, say, answer }) {
  const input = html(row, "input", { type: "text", inputmode: "text", autocomplete: "off", class: "rb-ask-input", "aria-labelledby": id });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();  // JupyterLab does not let Enter send a form; so this does, everywhere
    event.stopPropagation();
    check();
  });
  if (get("unit")) html(row, "span", { class: "rb-ask-unit" }, get("unit"));
  function check() {
    const value = parse(input.value, get("unit"));
    if (input.readOnly) return;
    if (Number.isFinite(value)) answer(Math.abs(value - get("answer")) <= get("tolerance") + 1e-9);
    else say("again", "A number, please: 0.25, 1/4 or 25 %.");
  }
  return { done() { input.readOnly = true; }, check };
}

function drag({ row, get, answer }) {
  const [low, high] = get("span"), unit = get("unit"), digits = clamp(Math.ceil(2 - Math.log10(high - low)), 0, 6);
  const plot = panel(html(row, "div", { class: "rb-ask-span" }));
  const shown = (value) => `${Number(value.toFixed(digits))}${unit ? ` ${unit}` : ""}`;
  const step = 10 ** -digits;
  let at = (low + high) / 2, open = true, touched = false;
  const knob = handle(plot.box, {
    label: "your answer", min: low, max: high, digits, face: "?", anywhere: true,
    nudge: (value, steps) => value + steps * Math.max(step, (high - low) / 100),
    change(value) { if (open) { touched = true; at = value; draw(); } },
  });
  function draw() {
    const width = Math.max(plot.box.clientWidth, 240), x = linear(low, high, 22, width - 22), picture = plot.clear(width, open ? 84 : 106);
    axis(picture, x, 34, [0, 0.5, 1].map((share) => low + share * (high - low)), { label: (v) => shown(v), name: "" });
    if (!open) {
      line(picture, x(get("answer")), 18, x(get("answer")), 78, "rb-ask-truth");
      text(picture, clamp(x(get("answer")), 60, width - 60), 98, get("shown").replace(/<[^>]*>/g, ""), "rb-strong");
    }
    knob.place(x, 34, { now: at, spoken: shown(at), shown: shown(at), look: "relevant" });
  }
  draw();
  new ResizeObserver(draw).observe(plot.box);
  return {
    done() { open = false; draw(); },
    check: () => (touched ? answer(Math.abs(at - get("answer")) <= get("tolerance") + 1e-9) : answer(null)),
  };
}

function render({ model, el }) {
  const get = (name) => model.get(name);
  const id = `rb-ask-${count++}`;
  const kind = get("options").length ? choose : get("span").length ? drag : type;
  const root = html(el, "form", { class: "rb-fig rb-ask", "aria-labelledby": id, "data-lm-suppress-shortcuts": "true", novalidate: "" });
  root.dataset.state = "open";
  rich(root, "p", { class: "rb-ask-question", id }, `<span class="rb-ask-label">${get("label")}</span> ${get("question")}`);
  const row = html(root, "div", { class: "rb-ask-row", role: "group", "aria-labelledby": id });
  const said = html(root, "div", { class: "rb-ask-said", role: "status" });

  const say = (state, verdict, reveal = "") => {
    root.dataset.state = state;
    said.innerHTML = `<strong class="rb-ask-verdict">${verdict}</strong> ${reveal}`;
  };
  const finish = (state, verdict) => {
    asked.done();
    root.querySelector(".rb-ask-check")?.remove();
    give.remove();
    say(state, verdict, get("reveal"));
    said.tabIndex = -1;
    said.focus({ preventScroll: true });  // the pressed button is gone or disabled: the keyboard goes on from here
  };
  const answer = (right) => {
    if (root.dataset.state === "right" || root.dataset.state === "wrong" || root.dataset.state === "shown") return;
    if (right === null) say("again", "Drag the mark to your answer first.");
    else if (right) finish("right", kind === choose ? "Yes." : `Yes, ${get("shown")}.`);
    else if (get("again")) say("again", "Not yet. Try again.");
    else finish("wrong", kind === choose ? "No." : `No, it is ${get("shown")}.`);
  };
  const asked = kind({ row, get, id, say, answer });
  if (asked.check) html(row, "button", { type: "submit", class: "rb-button rb-ask-check" }, "Check");
  const give = button(row, "show me", () => finish("shown", kind === choose ? "" : `It is ${get("shown")}.`), { class: "rb-ask-give" });
  root.addEventListener("submit", (event) => {
    event.preventDefault();
    if (root.querySelector(".rb-ask-check")) asked.check?.();
  });
}

export default { render };
