// A reader's own lists, measured in the page; nothing leaves it. A file or a text comes in, and what it measures is shown whole or not at all.
import { button } from "../core/controls.js";
import { html } from "../core/elements.js";

const SMALL = 2e5;  // characters of a text that stands in the area, where it can be changed
const READ_AS = { "": "find out", lists: "query, score, relevance", first: "embeddings, label first", last: "embeddings, label last" };

// Twenty-four queries of twelve items, made up from a fixed seed; scores of two digits, so that some tie.
function example() {
  let seed = 7;
  const draw = () => {  // mulberry32
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const rows = Array.from({ length: 24 * 12 }, (_, i) => {
    const relevance = draw() < 0.25 ? 1 + Number(draw() < 0.3) : 0;
    return `q${Math.floor(i / 12) + 1},${(0.25 + 0.12 * relevance + 0.5 * draw()).toFixed(2)},${relevance}`;
  });
  return ["query,score,relevance", ...rows].join("\n");
}

function build(root) {
  const form = html(root, "form", { class: "rb-input", novalidate: "" });
  const label = html(form, "label", {}, "Your rows");
  const area = html(label, "textarea", { rows: 7, spellcheck: "false", wrap: "off", placeholder: "query,score,relevance\nq1,0.91,1\nq1,0.84,0\n..." });
  const chosen = html(form, "p", { class: "rb-note" });
  const row = html(form, "div", { class: "rb-actions" });
  html(row, "button", { type: "submit", class: "rb-button rb-main" }, "Measure");
  const picker = html(row, "input", { type: "file", class: "rb-hidden", tabindex: "-1", "aria-label": "A file of yours", accept: ".csv,.tsv,.txt" });
  button(row, "Choose a file", () => picker.click());
  button(row, "Load an example", () => take({ text: example(), name: "the example, made up in this page from a fixed seed" }));
  button(row, "Clear", () => { take(null); });
  const options = html(form, "div", { class: "rb-actions" });
  const as = html(html(options, "label", {}, "Read as "), "select");
  Object.entries(READ_AS).forEach(([value, word]) => html(as, "option", { value }, word));
  const cuts = html(html(options, "label", {}, "Cutoffs k "), "input", { type: "text", value: "1, 5, 10", size: 9, inputmode: "numeric" });
  const failure = html(root, "p", { class: "rb-failure", role: "alert" });
  const status = html(root, "p", { class: "rb-status", role: "status" });
  const results = html(root, "div", { class: "rb-results" });
  let source = null, turn = 0;

  // What measures is loaded when the reader comes near: most of the page's script.
  const load = () => window.rankbook.load("measuring");
  ["pointerover", "focusin"].forEach((kind) => root.addEventListener(kind, () => { load().catch(() => {}); }, { once: true }));

  const forget = () => {
    turn++;
    failure.textContent = status.textContent = "";
    results.replaceChildren();
    delete results.dataset.stale;
  };
  const fail = (error) => {
    forget();
    failure.textContent = error.ofFile ? error.message : `this cannot be measured: ${error.message}`;
    if (!error.ofFile) console.error(error);
  };

  // `from`: { text or file, name }; null clears. A text that is small stands in the area, where it can be changed.
  function take(from) {
    source = from;
    const typed = from?.text !== undefined && from.text.length < SMALL;
    area.value = typed ? from.text : "";
    chosen.textContent = from?.name ? `This is ${from.name}.` : "";
    picker.value = "";
    if (from) measure();
    else forget();
  }

  async function measure() {
    forget();
    const mine = turn;
    status.textContent = "Measuring...";
    try {
      const measuring = await load();
      const asked = { text: area.value, ...source, as: as.value, cutoffs: cuts.value };
      await measuring.measure(asked, results, { current: () => mine === turn, say: (text) => { status.textContent = text; } });
    } catch (error) {
      if (mine === turn) fail(error);
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    measure();
  });
  area.addEventListener("paste", () => setTimeout(() => take({ text: area.value, name: area.value.length < SMALL ? "" : "the text that you pasted" })));
  area.addEventListener("input", () => {  // what stands there counts now
    [source, chosen.textContent] = [null, ""];
    if (results.childElementCount) results.dataset.stale = "1";
  });
  [as, cuts].forEach((control) => control.addEventListener("change", () => { if (source || area.value.trim()) measure(); }));
  const takeFile = (file) => { if (file) take({ file, name: file.name }); };
  picker.addEventListener("change", () => takeFile(picker.files[0]));
  root.addEventListener("dragover", (event) => { event.preventDefault(); form.dataset.over = "1"; });
  root.addEventListener("dragleave", () => { delete form.dataset.over; });
  root.addEventListener("drop", (event) => {
    event.preventDefault();
    delete form.dataset.over;
    takeFile(event.dataTransfer.files[0]);
  });
}

export default {
  render({ el }) {
    build(html(el, "div", { class: "rb-fig rb-scores", role: "group", "aria-label": "Your scores", "data-lm-suppress-shortcuts": "true" }));
  },
};
