// LIKE and NOT IN, which the engine's grammar lacks, written as what it knows.
// https://learn.microsoft.com/azure/cosmos-db/nosql/query/keywords

import { syntaxError } from "../errors.mjs";
import { tokens } from "./text.mjs";

/** The text with `x [NOT] LIKE y [ESCAPE z]` as a call of _LIKE, and `x NOT IN (...)` as NOT (x IN (...)). */
export function withoutOperators(text) {
  const all = tokens(text);
  const at = all.findIndex((token, i) => token.keyword === "LIKE" || (token.keyword === "NOT" && negates(all[i + 1])));
  if (at < 0) return text;
  const negated = all[at].keyword === "NOT";
  const operator = negated ? at + 1 : at;
  const first = operandStart(all, at - 1);
  const left = text.slice(all[first]?.start, all[at].start).trim();
  const { call, end } =
    all[operator].keyword === "IN" ? inside(text, all, operator, left) : like(text, all, operator, left);
  const written = negated ? `(NOT ${call})` : call;
  return withoutOperators(`${text.slice(0, all[first].start)}${written} ${text.slice(end)}`);
}

const negates = (token) => token?.keyword === "IN" || token?.keyword === "LIKE";

function inside(text, all, operator, left) {
  const last = closing(all, operator + 1);
  return { call: `(${left} IN ${text.slice(all[operator + 1].start, all[last].end)})`, end: all[last].end };
}

function like(text, all, operator, left) {
  let last = operandEnd(all, operator + 1);
  const given = [left, text.slice(all[operator + 1].start, all[last].end)];
  if (all[last + 1]?.keyword === "ESCAPE") {
    last += 2;
    given.push(all[last]?.text);
  }
  return { call: `_LIKE(${given.join(", ")})`, end: all[last].end };
}

function operandStart(all, last) {
  let at = last;
  for (;;) {
    const token = all[at];
    if (token === undefined) throw syntaxError("an operator has no left side.");
    if (token.text === ")" || token.text === "]") {
      at = opening(all, at);
      if (token.text === "]") at -= 1;
      else if (all[at - 1]?.kind === "word" && !OPERATORS.has(all[at - 1].keyword)) at -= 1;
      if (token.text === "]") continue;
    }
    if (all[at - 1]?.text !== ".") return at;
    at -= 2;
  }
}

function operandEnd(all, first) {
  let at = first;
  if (all[at] === undefined) throw syntaxError("LIKE has no right side.");
  if (all[at].text === "(") return closing(all, at);
  for (;;) {
    const next = all[at + 1]?.text;
    if (next === ".") at += 2;
    else if (next === "[" || next === "(") at = closing(all, at + 1);
    else return at;
  }
}

const OPERATORS = new Set(["AND", "OR", "NOT", "WHERE", "IN", "SELECT", "VALUE", "BETWEEN", "LIKE", "EXISTS"]);

function opening(all, at) {
  return all.findLastIndex((token, i) => i < at && token.depth === all[at].depth && "([{".includes(token.text));
}

function closing(all, at) {
  const found = all.findIndex((token, i) => i > at && token.depth === all[at].depth && ")]}".includes(token.text));
  if (found < 0) throw syntaxError("a bracket is not closed.");
  return found;
}
