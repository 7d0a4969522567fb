// The paths that a query filters by, to tell whether an index serves it.

import { isCall, isSubquery, path, visit } from "./tree.mjs";

const OF_ARRAYS = new Set(["ARRAY_CONTAINS", "ARRAY_CONTAINS_ANY", "ARRAY_CONTAINS_ALL"]);

/** `{path, array}` for each: names from the document's root, `[]` for the elements of an array; `array` for a path
 * whose elements are looked at. */
export function filterPaths(body) {
  const found = [];
  query(body, new Map(), found);
  return found;
}

/** Gives the names that the query's sources declare, each with its path; null where it is none. */
function query(body, outer, found) {
  const names = new Map(outer);
  const sources = body.from === null ? [] : [body.from.source, ...body.from.joins];
  for (const source of sources) declare(source, names, found);
  if (body.where !== null) condition(body.where.condition, names, found);
  return names;
}

function declare({ expression, alias, iteration }, names, found) {
  const place =
    expression.type === "collection_subquery_expression"
      ? subqueryPath(expression.expression, names, found)
      : sourcePath(expression, names);
  const declared = alias?.name ?? path(expression)?.names.at(-1) ?? path(expression)?.root;
  names.set(declared, place && iteration ? [...place, "[]"] : place);
}

function subqueryPath(body, names, found) {
  const inner = query(body, names, found);
  return body.select.value ? resolved(body.select.value, inner) : null;
}

function sourcePath(expression, names) {
  const { root, names: more } = path(expression);
  const base = names.has(root) ? names.get(root) : [];
  return base && [...base, ...more];
}

function condition(node, names, found) {
  visit(node, (part) => {
    if (isSubquery(part)) return subquery(part.expression, names, found);
    if (isCall(part) && OF_ARRAYS.has(part.name.name.toUpperCase())) return array(part, names, found);
    const place = resolved(part, names);
    if (place === undefined) return true;
    if (place?.length > 0) found.push({ path: place, array: false });
    return false;
  });
}

function subquery(body, names, found) {
  const inner = query(body, names, found);
  if (body.where === null && body.from !== null) {
    const place = inner.get(body.from.source.alias?.name);
    if (place) found.push({ path: place, array: false });
  }
  return false;
}

function array({ arguments: [first, ...others] }, names, found) {
  const place = resolved(first, names);
  if (place) found.push({ path: place, array: true });
  else condition(first, names, found);
  condition(others, names, found);
  return false;
}

/** The place of a path in the document; undefined for what is no path. */
function resolved(node, names) {
  const found = path(node);
  if (found === null || !names.has(found.root)) return undefined;
  const base = names.get(found.root);
  return base && [...base, ...found.names];
}
