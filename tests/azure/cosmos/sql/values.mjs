// How values compare.
// https://learn.microsoft.com/azure/cosmos-db/nosql/query/order-by

const RANKS = ["undefined", "null", "boolean", "number", "string", "array", "object"];

function rank(value) {
  const type = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
  return RANKS.indexOf(type);
}

/** Undefined comes first, then null, booleans, numbers, strings, arrays, objects. */
export function compare(a, b) {
  const difference = rank(a) - rank(b);
  if (difference !== 0 || a === b || (a !== null && typeof a === "object")) return difference;
  return a < b ? -1 : 1;
}

/** The same text for equal values: the order of an object's properties does not matter. */
export function canonical(value) {
  return JSON.stringify(value, (_, inner) =>
    inner !== null && typeof inner === "object" && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
