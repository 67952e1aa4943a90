// The frame of every figure: mounting, redrawing at every change and width, the legend, Reset, and what a screen reader hears.
// A figure is drawn in CSS pixels for the measured width, so that type and handles keep their size on a phone.
import { html } from "./elements.js";
import { button } from "./controls.js";

// What a state and the numbers made of it may hold: words, and finite numbers, alone or in lists.
const sound = (value) => (Array.isArray(value) ? value.every(Number.isFinite) : ["string", "boolean"].includes(typeof value) || Number.isFinite(value));

// `legend` is a list of [class of the swatch, text], `hint` says what to do. build({ root, get, set }) makes the elements once
// and returns draw(width, state), which draws the state of the traits and returns { values, summary }: the numbers on display
// besides the traits, and a sentence that is spoken when the reader comes to rest.
export function figure({ label, traits, legend = [], hint, build }) {
  function render({ model, el }) {
    // JupyterLab takes arrow keys and Enter for the notebook unless told not to.
    const root = html(el, "div", { class: "rb-fig", role: "group", "aria-label": label, "data-lm-suppress-shortcuts": "true" });
    const get = (name) => model.get(name);
    const set = (state) => {
      Object.entries(state).forEach(([name, value]) => model.set(name, value));
      model.save_changes();
    };
    const state = () => Object.fromEntries(traits.map((name) => [name, get(name)]));
    const start = state(), bad = traits.find((name) => !sound(start[name]));
    if (bad) throw new Error(`its state holds ${JSON.stringify(start[bad])} as ${bad}`);

    const bar = html(root, "div", { class: "rb-bar" });
    const key = html(bar, "div", { class: "rb-legend" });
    legend.forEach(([swatch, name]) => {
      const entry = html(key, "span", { class: "rb-entry" });
      html(entry, "i", { class: swatch });
      entry.append(name);
    });
    if (hint) html(key, "span", { class: "rb-hint" }, hint);
    button(bar, "Reset", () => set(start), { class: "rb-button rb-reset" });

    const draw = build({ root, get, set });
    const status = html(root, "p", { class: "rb-hidden", role: "status" });

    let width = 0, speech;
    const redraw = () => {
      const now = state(), { values, summary } = draw(Math.max(width, 280), now);
      const shown = { ...now, ...values };
      root.dataset.values = JSON.stringify(shown);
      root.dispatchEvent(new CustomEvent("rb-values", { bubbles: true, detail: shown }));
      return { shown, summary };
    };
    const changed = () => {
      const { summary } = redraw();
      clearTimeout(speech);
      speech = setTimeout(() => { status.textContent = summary; }, 700);
    };

    width = root.clientWidth;
    const odd = Object.entries(redraw().shown).find(([, value]) => value !== null && !sound(value));
    if (odd) throw new Error(`${odd[0]} comes out as ${odd[1]}`);  // better no figure than a wrong one

    const observer = new ResizeObserver(() => {
      if (root.clientWidth === width) return;
      width = root.clientWidth;
      redraw();
    });
    observer.observe(root);
    traits.forEach((name) => model.on(`change:${name}`, changed));
    return () => {
      observer.disconnect();
      clearTimeout(speech);
      traits.forEach((name) => model.off(`change:${name}`, changed));
    };
  }
  return { render };
}
