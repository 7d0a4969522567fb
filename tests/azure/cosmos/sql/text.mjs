// The text of a query: its tokens, and the clauses of the outermost SELECT.
// https://learn.microsoft.com/azure/cosmos-db/nosql/query/select

import { syntaxError } from "../errors.mjs";

const TOKEN = new RegExp(
  [
    String.raw`(?<space>\s+|--[^\n\r]*)`,
    String.raw`(?<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')`,
    String.raw`(?<number>\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)`,
    String.raw`(?<parameter>@\w+)`,
    String.raw`(?<word>[A-Za-z_]\w*)`,
    String.raw`(?<sign>[^\s\w"'@])`,
  ].join("|"),
  "y",
);
const OPEN = "([{";
const CLOSE = ")]}";

/** Tokens with their place in the text and how many brackets they stand in; `name` is a word that follows no dot. */
export function tokens(text) {
  const found = [];
  let depth = 0;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const start = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) throw syntaxError(`incorrect syntax near '${text.slice(start, start + 20)}'.`);
    const [kind] = Object.entries(match.groups).find(([, value]) => value !== undefined);
    if (kind === "space") continue;
    const token = match[0];
    if (CLOSE.includes(token)) depth -= 1;
    const keyword = kind === "word" && found.at(-1)?.text !== "." ? token.toUpperCase() : null;
    found.push({ kind, text: token, keyword, start, end: TOKEN.lastIndex, depth });
    if (OPEN.includes(token)) depth += 1;
  }
  return found;
}

const STARTS = { FROM: "from", WHERE: "where", GROUP: "groupBy", ORDER: "orderBy", OFFSET: "offset", LIMIT: "limit" };

/**
 * The clauses of the outermost query as texts: select, distinct (a boolean), top, from, where, groupBy, orderBy,
 * offset, limit. The engine's grammar knows neither DISTINCT nor GROUP BY nor OFFSET and LIMIT.
 */
export function clauses(text) {
  const all = tokens(text);
  if (all[0]?.keyword !== "SELECT") throw syntaxError("a query begins with SELECT.");
  const found = { distinct: false };
  let at = 1;
  if (all[at]?.keyword === "DISTINCT") {
    found.distinct = true;
    at += 1;
  }
  if (all[at]?.keyword === "TOP") {
    found.top = all[at + 1]?.text;
    at += 2;
  }
  let name = "select";
  let from = at;
  for (; at <= all.length; at += 1) {
    const next = at === all.length ? null : STARTS[all[at].depth === 0 ? all[at].keyword : ""];
    if (next === undefined) continue;
    if (Object.hasOwn(found, name) || at === from) throw syntaxError(`incorrect ${name} clause.`);
    found[name] = text.slice(all[from].start, all[at - 1].end);
    name = next;
    from = at + (all[at + 1]?.keyword === "BY" ? 2 : 1);
  }
  return found;
}

/** The parts of a text between commas that stand in no bracket. */
export function listed(text) {
  const found = [];
  let start = 0;
  for (const token of tokens(text)) {
    if (token.text !== "," || token.depth !== 0) continue;
    found.push(text.slice(start, token.start).trim());
    start = token.end;
  }
  return [...found, text.slice(start).trim()];
}
