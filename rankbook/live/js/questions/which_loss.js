// Which loss? Answers go in; a loss to copy, the stored evidence with its interval, and its cost come out.
import { button, choices } from "../core/controls.js";
import { fixed, html, linear } from "../core/elements.js";
import { figure } from "../core/frame.js";
import { line, panel, point, text } from "../core/marks.js";
import { advise, holds } from "../shared/advice.js";

// Loaded with this form, since no other page needs it.
const STYLE = [
  ".rb-advice.rb-fig { max-width: none }",
  ".rb-advice p, .rb-advice ul { margin: 0; padding: 0; line-height: 1.5 }",
  ".rb-advice-row { display: grid; grid-template-columns: 12.5em 1fr; align-items: center; gap: 4px 12px; margin-bottom: 6px }",
  ".rb-advice [hidden] { display: none }",
  ".rb-advice .rb-choice span { padding: 4px 10px }",
  ".rb-advice-card { display: grid; gap: 8px; margin-top: 12px; padding: 12px 16px; border-radius: 10px; background: color-mix(in srgb, var(--relevant) 7%, var(--paper)) }",
  ".rb-advice .rb-number { white-space: normal }",
  ".rb-advice-code { display: flex; align-items: flex-start; gap: 8px; min-width: 0 }",
  ".rb-advice-code pre { flex: 1; min-width: 0; margin: 0; padding: 8px 12px; overflow-x: auto; color: inherit; background: var(--paper); border: 1px solid var(--grid); border-radius: 6px }",
  ".rb-advice-code code { color: inherit; background: none; border: 0; padding: 0; font-size: 13.5px }",
  ".rb-advice-code .rb-button { background: var(--paper); min-height: 36px }",
  ".rb-advice ul.rb-note { padding-left: 1.2em }",
  ".rb-advice-evidence li { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 12px; margin: 0 }",
  "@media (max-width: 620px) { .rb-advice-row { grid-template-columns: 1fr } .rb-advice-code { flex-wrap: wrap } .rb-advice-code pre { flex-basis: 100%; white-space: pre-wrap } }",
].join("\n");
const LOOK = { ahead: "relevant", behind: "irrelevant" };

// One line a comparison: in words, and as an interval on an axis with 0 in its midst.
function forest(list, lines, width) {
  const reach = 1.15 * Math.max(...lines.flatMap(({ low, high }) => [-low, high]));
  list.replaceChildren();
  lines.forEach(({ rival, metric, mean, low, high, verdict }, i) => {
    const row = html(list, "li", {}), words = html(row, "span", {});
    words.append(`${rival}, ${metric}: `);
    html(words, "strong", {}, verdict);
    html(words, "span", { class: "rb-note" }, ` ${fixed(mean, 4)} [${fixed(low, 4)}, ${fixed(high, 4)}]`);
    const size = width > 620 ? 250 : width, x = linear(-reach, reach, 8, size - 8), last = i === lines.length - 1;
    const picture = panel(row).clear(size, last ? 44 : 26), look = LOOK[verdict] ?? "exact";
    line(picture, x(0), 0, x(0), 26, "rb-guide");
    line(picture, x(low), 13, x(high), 13, look === "exact" ? "rb-error" : `rb-push rb-${look}`);
    point(picture, x(mean), 13, "exact", 3);
    if (!last) return;
    text(picture, x(0) - 8, 40, "\u2190 behind", "rb-tick", "end");
    text(picture, x(0) + 8, 40, "ahead \u2192", "rb-tick", "start");
  });
}

function build({ root, get, set }) {
  const book = get("book");
  root.classList.add("rb-advice");
  html(root, "style", {}, STYLE);
  const asked = html(root, "div", { class: "rb-advice-asked" });
  const rows = book.questions.map(({ name, ask, options, when }) => {
    const row = html(asked, "div", { class: "rb-advice-row" });
    html(row, "span", { class: "rb-hint" }, ask);
    const show = choices(row, { label: ask, names: Object.fromEntries(options), change: (value) => set({ [name]: value }) });
    return { name, when, row, show };
  });
  const card = html(root, "div", { class: "rb-advice-card" });
  const title = html(card, "p", { class: "rb-number" });
  const why = html(card, "p", {});
  const box = html(card, "div", { class: "rb-advice-code" });
  const code = html(html(box, "pre", { tabindex: "0", "aria-label": "The code" }), "code", {});
  const copy = button(box, "Copy", async () => {
    await navigator.clipboard.writeText(code.textContent);
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  }, { class: "rb-button" });
  const instead = html(card, "p", {});
  const measured = html(html(card, "p", {}), "strong", { class: "rb-advice-head" });
  const list = html(card, "ul", { class: "rb-advice-evidence" });
  const standing = html(card, "p", { class: "rb-advice-standing" });
  const cost = html(card, "p", { class: "rb-note" });
  const notes = html(card, "ul", { class: "rb-note" });

  return function draw(width, state) {
    rows.forEach(({ name, when, row, show }) => {
      row.hidden = !holds(when, state);
      show(state[name]);
    });
    const values = advise(book, state), lines = values.evidence.map((i) => book.evidence[i]);
    title.textContent = values.loss;
    why.textContent = values.why;
    code.textContent = values.code;
    instead.textContent = values.instead;
    list.hidden = !lines.length;
    measured.textContent = lines.length
      ? `What we measured: ${lines[0].loss} minus the loss named, on ${lines[0].data}, ${lines[0].seeds} seeds, 95 % intervals`
      : values.standing ? "What we measured" : "Not measured by us: no stored comparison speaks of this choice.";
    if (lines.length) forest(list, lines, Math.max(list.clientWidth, 240));
    standing.textContent = values.standing;
    standing.hidden = !values.standing;
    const [size, ms, mb] = values.cost;
    cost.textContent = size
      ? `Cost of the loss, forward and backward, at ${size.toLocaleString("en-US")} embeddings of ${book.dimension} numbers: ${fixed(ms, 1)} ms, ${fixed(mb, 0)} MB on an ${book.device}.`
      : "Cost: not measured by us.";
    notes.replaceChildren();
    values.notes.split("\n").filter(Boolean).forEach((note) => html(notes, "li", {}, note));
    return { values, summary: `${values.loss}. ${values.why}` };
  };
}

export default figure({
  label: "Which loss?", traits: ["metric", "train", "graded", "classes", "per_class", "fits", "machines"], hint: "Answer; the loss below follows.", build,
});
