// Which loss? The rules of rankbook/advice, evaluated as `rankbook.advice.advise` does; none of them stands here.

// The answers, and what follows from them: the batch, and what one query ranks in it.
export function known(inputs) {
  const batch = Number(inputs.classes) * Number(inputs.per_class);
  return { ...inputs, batch, others: batch - 1, positives: Number(inputs.per_class) - 1, over: batch > Number(inputs.fits) ? "yes" : "no" };
}

// A list names the answers that may be; "from" and "below" bound a number.
export function holds(when, facts) {
  return Object.entries(when).every(([name, wanted]) => (Array.isArray(wanted)
    ? wanted.includes(facts[name])
    : facts[name] >= (wanted.from ?? -Infinity) && facts[name] < (wanted.below ?? Infinity)));
}

const filled = (text, facts) => text.replace(/\{(\w+)\}/g, (_, name) => (
  typeof facts[name] === "number" ? String(facts[name]).replace(/\B(?=(\d{3})+$)/g, ",") : facts[name]));

export function advise(book, inputs) {
  const facts = known(inputs);
  const { loss, code, why, instead, standing, evidence } = book.rules.find((rule) => holds(rule.when, facts));
  const notes = book.notes.filter((note) => holds(note.when, facts)).map((note) => filled(note.text, facts)).join("\n");
  const measured = facts.train === "embeddings" ? book.costs[loss] ?? [] : [];
  const far = ([size]) => Math.abs(Math.log2(size / facts.batch));
  const cost = measured.reduce((best, line) => (best.length && far(best) <= far(line) ? best : line), []);
  return { loss, code, why: filled(why, facts), instead, standing, notes, evidence, cost };
}
