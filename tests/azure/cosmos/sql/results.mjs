// From the rows of documents to a page of results: grouping, ordering, DISTINCT, TOP, OFFSET and LIMIT, continuation.

import { badRequest } from "../errors.mjs";
import { MAX_RESPONSE_BYTES } from "../paging.mjs";
import { aggregates, stripUndefined } from "./engine.mjs";
import { canonical, compare } from "./values.mjs";

/**
 * One page: the results as JSON `texts`, the `token` to continue with (null at the end), and the `bytes` of the texts.
 *
 * `items` are oldest first; `size` is the most results. A token of a query that streams names the last row given, so
 * that documents that come or go between pages neither repeat nor hide others; DISTINCT and groups are counted.
 */
export function page(query, items, parameters, index, { size, token }) {
  const { offset, count } = bounds(query.clauses, parameters);
  const rows = query.grouped ? grouped(query, items, parameters) : ordered(query, items, parameters, index);
  if (query.grouped || query.clauses.distinct) return counted(values(query, rows), { offset, count, size, token });
  return streamed(query, rows, { offset, count, size, token });
}

function bounds({ top, offset, limit }, parameters) {
  const number = (text, otherwise) => {
    if (text === undefined) return otherwise;
    const value = text.startsWith("@") ? parameters[text.slice(1)] : Number(text);
    if (!Number.isInteger(value) || value < 0) throw badRequest("TOP, OFFSET and LIMIT take whole numbers.");
    return value;
  };
  if ((offset === undefined) !== (limit === undefined)) throw badRequest("OFFSET and LIMIT come together.");
  return { offset: number(offset, 0), count: number(top ?? limit, Infinity) };
}

function allRows(query, items, parameters) {
  return items.flatMap(({ document, sequence }) =>
    query.rows(document, parameters).map((columns, part) => ({ columns, sequence, part })),
  );
}

function ordered(query, items, parameters, index) {
  const { orders } = query;
  const selected = allRows(query, items, parameters).filter(({ columns }) => columns.r !== undefined);
  if (orders.length === 0) return selected;
  // "The default indexing policy won't allow for the retrieval of the documents where the sort property is undefined."
  const all = orders.length > 1 || index.names(orders[0].path);
  const rows = all ? selected : selected.filter(({ columns }) => columns.o0 !== undefined);
  return rows.sort(comparing(orders));
}

function comparing(orders) {
  return (a, b) => {
    for (const [i, { descending }] of orders.entries()) {
      const difference = compare(a.columns[`o${i}`], b.columns[`o${i}`]);
      if (difference !== 0) return descending ? -difference : difference;
    }
    return a.sequence - b.sequence || a.part - b.part;
  };
}

function grouped(query, items, parameters) {
  const members = new Map();
  if (query.groups.length === 0) members.set("{}", []);
  for (const { columns } of allRows(query, items, parameters)) {
    const name = canonical(Object.fromEntries(query.groups.map((_, i) => [`g${i}`, columns[`g${i}`]])));
    if (!members.has(name)) members.set(name, []);
    members.get(name).push(columns);
  }
  const groups = [...members.values()].map((rows) => {
    const totals = query.aggregateNames.map((name, i) => [`a${i}`, aggregates[name](rows.map((row) => row[`a${i}`]))]);
    return { columns: { r: query.ofGroup({ ...rows[0], ...Object.fromEntries(totals) }, parameters) } };
  });
  return groups.filter(({ columns }) => columns.r !== undefined);
}

function values(query, rows) {
  const texts = rows.map(({ columns }) => JSON.stringify(stripUndefined(columns.r)));
  if (!query.clauses.distinct) return texts;
  const known = new Map();
  for (const text of texts) {
    const name = canonical(JSON.parse(text));
    if (!known.has(name)) known.set(name, text);
  }
  return [...known.values()];
}

function counted(all, { offset, count, size, token }) {
  const wanted = all.slice(offset, offset + count);
  const start = token?.given ?? 0;
  const { texts, bytes } = cut(wanted.slice(start), size);
  const given = start + texts.length;
  return { texts, bytes, token: given < wanted.length ? { given } : null };
}

function streamed({ orders }, rows, { offset, count, size, token }) {
  const left = token === null ? rows.slice(offset) : rows.filter((row) => comparing(orders)(row, last(token)) > 0);
  const given = token?.given ?? 0;
  const wanted = left.slice(0, count - given);
  const selected = wanted.slice(0, size).map(({ columns }) => JSON.stringify(stripUndefined(columns.r)));
  const { texts, bytes } = cut(selected, size);
  if (texts.length === wanted.length) return { texts, bytes, token: null };
  return { texts, bytes, token: { ...placed(wanted[texts.length - 1], orders), given: given + texts.length } };
}

function cut(texts, size) {
  let bytes = 0;
  const fitting = texts.slice(0, size).findIndex((text, i) => {
    bytes += Buffer.byteLength(text);
    return i > 0 && bytes > MAX_RESPONSE_BYTES;
  });
  const given = texts.slice(0, fitting < 0 ? size : fitting);
  return { texts: given, bytes: given.reduce((sum, text) => sum + Buffer.byteLength(text), 0) };
}

// JSON has no undefined: an order's value is written in an array of its own, empty for undefined.
function placed({ columns, sequence, part }, orders) {
  return { orders: orders.map((_, i) => [columns[`o${i}`]].filter((value) => value !== undefined)), sequence, part };
}

function last({ orders, sequence, part }) {
  return { columns: Object.fromEntries(orders.map(([value], i) => [`o${i}`, value])), sequence, part };
}
