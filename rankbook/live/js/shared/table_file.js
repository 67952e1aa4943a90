// A reader's table: bytes to text, text to rows, rows to lists of scores with relevance, or to embeddings with labels.
// What cannot be read is refused with the line and what to do; `ofFile` marks such an error.
export const ROWS = 100000;  // of a table of lists
export const ITEMS = 500;    // of a table of embeddings: each ranks all others

const NAMES = {
  query: "query query_id queryid qid q topic topic_id user user_id group group_id list list_id session session_id search_id",
  score: "score scores prediction predictions predicted pred similarity sim cosine logit output y_score y_pred",
  relevance: "relevance rel relevant is_relevant label labels target y y_true grade gain qrel judgment judgement",
};
const CLASSES = "label labels class classes category target y";
const listed = (words, cell) => words.split(" ").includes(cell.toLowerCase().replace(/[\s-]+/g, "_"));

export const problem = (line, what) => Object.assign(new Error(line ? `line ${line}: ${what}` : what), { ofFile: true });
const say = (cell) => `"${cell.length > 40 ? `${cell.slice(0, 37)}...` : cell}"`;
const BINARY = "this is no text; save the table as CSV (a spreadsheet program can) and choose that file";

// UTF-8, or UTF-16 with its mark, or else the usual encoding of older spreadsheets.
export function textOf(bytes) {
  const mark = bytes[0] * 256 + bytes[1];
  if (mark === 0xfffe || mark === 0xfeff) return new TextDecoder(mark === 0xfffe ? "utf-16le" : "utf-16be").decode(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}

// ---- rows ----
// Quotes as in every CSV: a cell in quotes may hold the delimiter, a line break, and a quote written twice.
function rowsOf(text, delimiter) {
  const rows = [];
  let cells = [], cell = "", quoted = 0, line = 1, first = 1;
  const endRow = () => {
    cells.push(cell.trim());
    if (cells.some((one) => one !== "")) rows.push({ line: first, cells });
    [cells, cell] = [[], ""];
  };
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c !== '"') {
        cell += c;
        line += Number(c === "\n");
      } else if (text[i + 1] === '"') cell += text[++i];
      else quoted = 0;
    } else if (c === '"' && cell.trim() === "") [quoted, cell] = [line, ""];
    else if (c === delimiter) {
      cells.push(cell.trim());
      cell = "";
    } else if (c === "\n" || c === "\r") {
      if (c === "\r" && text[i + 1] === "\n") i++;
      endRow();
      first = ++line;
    } else cell += c;
  }
  if (quoted) throw problem(quoted, "a quote opens here and is never closed");
  endRow();
  return rows;
}

const delimiterOf = (text) => {
  const start = (text.match(/[^\r\n]*\S[^\r\n]*/)?.[0] ?? "").replace(/"[^"]*"/g, "");
  return ["\t", ";", ","].find((one) => start.includes(one)) ?? ",";
};

// ---- numbers ----
const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;
const NOT_FINITE = /^[-+]?(nan|inf|infinity|na|n\/a|none|null)$/i;

// Reads the numbers of one table, which has decimal points or decimal commas, not both.
function numbersOf(delimiter) {
  const seen = {};
  const plain = (cell) => cell.replace("\u2212", "-");
  const looks = (cell) => NUMBER.test(plain(cell).replace(delimiter === "," ? /$^/ : ",", "."));
  function read(cell, line, name, advice = "write it as 0.73") {
    if (cell === "") throw problem(line, `${name} is empty; fill it in or leave the row out`);
    if (NOT_FINITE.test(cell)) throw problem(line, `${name} ${say(cell)} is not finite; leave the row out`);
    if (!looks(cell)) {
      const comma = delimiter === "," && /^[-+]?\d*,\d+$/.test(cell) ? "separate the columns by semicolons, or write a decimal point" : advice;
      throw problem(line, `${name} ${say(cell)} is not a number; ${comma}`);
    }
    const sign = cell.match(/[.,]/)?.[0];
    if (sign) seen[sign] ??= line;
    if (seen["."] && seen[","]) {
      const [word, other] = sign === "." ? ["point", ","] : ["comma", "."];
      throw problem(line, `${say(cell)} has a decimal ${word}, line ${seen[other]} the other; use one of them`);
    }
    const value = Number(plain(cell).replace(",", "."));
    if (!Number.isFinite(value)) throw problem(line, `${name} ${say(cell)} is not finite; it is too large for a number`);
    return value;
  }
  return { looks, read };
}

function relevanceOf(cell, line, numbers) {
  if (/^(true|false)$/i.test(cell)) return Number(cell.toLowerCase() === "true");
  const value = numbers.read(cell, line, "relevance", "use 0 and 1");
  if (value < 0) throw problem(line, `relevance ${cell} is negative; use 0 for an irrelevant item`);
  return value;
}

// ---- what the columns are ----
// The first row is a header if it has no number in it and a known name, or numbers below it; or counts 0, 1, 2... beside a label.
function splitHeader(rows, numbers) {
  const [top, next] = rows, numeric = top.cells.filter(numbers.looks);
  const known = top.cells.some((cell) => listed(`${Object.values(NAMES).join(" ")} ${CLASSES}`, cell));
  const counts = known && numeric.length === top.cells.length - 1 && numeric.every((cell, i) => cell === String(i));
  const header = counts || (!numeric.length && (known || (next?.cells ?? []).some(numbers.looks)));
  if (header && !next) throw problem(0, "line 1 is a header, and no row follows");
  return header ? { header: top, body: rows.slice(1) } : { header: null, body: rows };
}

function columnsOf(header, width) {
  if (!header) return width === 2 ? { score: 0, relevance: 1 } : { query: 0, score: 1, relevance: 2 };
  const columns = {};
  for (const [name, words] of Object.entries(NAMES)) {
    const found = header.cells.flatMap((cell, c) => (listed(words, cell) ? [c] : []));
    if (found.length > 1) throw problem(header.line, `${found.map((c) => say(header.cells[c])).join(" and ")} both mean ${name}; keep one`);
    if (found.length) columns[name] = found[0];
    else if (name !== "query") {
      throw problem(header.line, `no column for ${name} in ${say(header.cells.join(", "))}; name one ${words.split(" ").slice(0, 3).join(", ")}`);
    }
  }
  return columns;
}

function toLists(header, body, numbers) {
  const columns = columnsOf(header, body[0].cells.length), lists = new Map();
  for (const { line, cells } of body) {
    const query = columns.query === undefined ? "the list" : cells[columns.query];
    if (query === "") throw problem(line, "query is empty; every row names the query that it belongs to");
    if (!lists.has(query)) lists.set(query, { query, scores: [], relevance: [] });
    const list = lists.get(query);
    list.scores.push(numbers.read(cells[columns.score], line, "score"));
    list.relevance.push(relevanceOf(cells[columns.relevance], line, numbers));
  }
  return { kind: "lists", lists: [...lists.values()], columns: Object.keys(columns) };
}

// The column of the label: as told, by its name, the one that is no number, or the one of whole numbers.
function labelColumn(header, body, numbers, told) {
  const last = body[0].cells.length - 1, ends = [0, last];
  if (told) return told === "first" ? 0 : last;
  const of = (test) => ends.filter(test);
  const choices = [
    header ? of((c) => listed(CLASSES, header.cells[c])) : [],
    of((c) => body.some(({ cells }) => !numbers.looks(cells[c]))),
    of((c) => body.every(({ cells }) => /^\d+$/.test(cells[c]))),
  ];
  const found = choices.find(({ length }) => length === 1);
  if (!found) throw problem(0, "the first and the last column could both be the label; say under \"Read as\" which it is");
  return found[0];
}

function toEmbeddings(header, body, numbers, told) {
  if (body.length > ITEMS) throw problem(body[ITEMS].line, `more than ${ITEMS} items with embeddings; each ranks all others, so take a sample`);
  if (body[0].cells.length < 2) throw problem(body[0].line, "only one column; a row is the numbers of an embedding and a label");
  const label = labelColumn(header, body, numbers, told);
  const used = body[0].cells.map((_, c) => c).filter((c) => c !== label && header?.cells[c] !== "");
  const items = body.map(({ line, cells }) => {
    if (cells[label] === "") throw problem(line, "the label is empty; every item has one");
    return { label: cells[label], vector: used.map((c) => numbers.read(cells[c], line, header?.cells[c] ?? `column ${c + 1}`)), line };
  });
  // Every item is a query, and the others are its gallery.
  const dot = (a, b) => a.reduce((sum, value, d) => sum + value * b[d], 0);
  const lists = items.map((query, q) => {
    const others = items.filter((_, i) => i !== q), scores = others.map(({ vector }) => dot(query.vector, vector));
    if (!scores.every(Number.isFinite)) throw problem(query.line, "its dot products are too large for a number; scale the embeddings");
    return { query: `item ${q + 1} (${query.label})`, scores, relevance: others.map((one) => Number(one.label === query.label)) };
  });
  return { kind: "embeddings", lists: lists.filter(({ scores }) => scores.length), dimension: used.length };
}

// `as`: "" finds out, "lists", or "first" or "last": embeddings with the label there.
export function readTable(text, as = "") {
  if (/[\0-\x08\x0e-\x1f]/.test(text)) throw problem(0, BINARY);
  const content = text.replace(/^\uFEFF/, ""), delimiter = delimiterOf(content), numbers = numbersOf(delimiter);
  const rows = rowsOf(content, delimiter);
  if (!rows.length) throw problem(0, "nothing to read; paste rows of query, score, relevance, or choose a file");
  const width = rows[0].cells.length;
  const ragged = rows.find(({ cells }) => cells.length !== width);
  if (ragged) throw problem(ragged.line, `${ragged.cells.length} columns, where line ${rows[0].line} has ${width}; every row needs the same`);
  const { header, body } = splitHeader(rows, numbers);
  const named = header && ["query", "score"].some((name) => header.cells.some((cell) => listed(NAMES[name], cell)));
  const classed = header && [0, width - 1].some((c) => listed(CLASSES, header.cells[c]));
  const lists = as === "lists" || (as === "" && (named || (width <= 3 && !classed)));
  if (lists && body.length > ROWS) throw problem(body[ROWS].line, `more than ${ROWS} rows; leave some queries out`);
  if (lists && width === 1) throw problem(rows[0].line, "only one column; separate query, score and relevance by commas, tabs or semicolons");
  if (lists && !header && width > 3) throw problem(rows[0].line, `${width} columns and no names; put query, score, relevance above them`);
  const table = lists ? toLists(header, body, numbers) : toEmbeddings(header, body, numbers, as);
  if (table.lists.some(({ relevance }) => relevance.some((rel) => rel > 0))) return { ...table, rows: body.length };
  const only = table.lists.length === 1 ? `query ${say(table.lists[0].query)}` : `none of the ${table.lists.length} queries`;
  throw problem(0, table.kind === "lists"
    ? `${only} has ${table.lists.length === 1 ? "no" : "a"} relevant item, so there is nothing to measure; relevance above 0 means relevant`
    : "no label occurs twice, so no item has another to find");
}
