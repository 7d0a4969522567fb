// Request units. The real charges depend on the index and the engine; these follow the published rules of thumb:
// reading 1 KB costs 1, 100 KB about 10; writing costs five times reading and more with every index term; replacing is
// a delete and an insert; a query costs about 2.3 and little for every document and KB it gives.
// https://learn.microsoft.com/azure/cosmos-db/request-units
// https://learn.microsoft.com/azure/cosmos-db/key-value-store-cost

const KB = 1024;
const TERM = 0.25;
const QUERY = 2.3;
const ROW = 0.035;
const ROW_KB = 0.03;

export const METADATA = 2;

export const rounded = (units) => Math.round(units * 100) / 100;

export function read(bytes) {
  return rounded(1 + Math.max(0, bytes / KB - 1) / 11);
}

export function insert(bytes, terms) {
  return rounded(5 * read(bytes) + TERM * terms);
}

export function replace(before, after) {
  return rounded(insert(before.bytes, before.terms) + insert(after.bytes, after.terms));
}

/** One page of one partition key range. */
export function query(rows, bytes) {
  return rounded(QUERY + ROW * rows + (ROW_KB * bytes) / KB);
}

export function feed(rows, bytes) {
  return rounded(1 + ROW * rows + (ROW_KB * bytes) / KB);
}
