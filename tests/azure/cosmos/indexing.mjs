// Indexing policies: what the service adds to one, refuses in one, and which paths one covers.
// https://learn.microsoft.com/azure/cosmos-db/index-policy

import { badRequest } from "./errors.mjs";
import { parts } from "./paths.mjs";

const DEFAULT = { indexingMode: "consistent", automatic: true, includedPaths: [{ path: "/*" }], excludedPaths: [] };
const ETAG = '/"_etag"/?';
const ALWAYS = new Set(["id", "_ts"]); // "id and _ts are always indexed when the indexing mode is consistent"

/** A policy as the service keeps it: defaults filled in, `_etag` excluded. */
export function normalized(policy = {}) {
  const chosen = policy.includedPaths !== undefined || policy.excludedPaths !== undefined;
  const kept = { ...DEFAULT, ...(chosen ? { includedPaths: [] } : {}), ...policy };
  const excluded = kept.excludedPaths;
  const known = excluded.some(({ path }) => path === ETAG);
  kept.excludedPaths = known ? excluded : [...excluded, { path: ETAG }];
  checkPaths(kept);
  checkComposites(kept.compositeIndexes ?? []);
  return kept;
}

function checkPaths(policy) {
  const all = [...policy.includedPaths, ...policy.excludedPaths];
  for (const { path } of all) {
    const last = parts(path)?.at(-1);
    if (last !== "*" && last !== "?") throw badRequest(`The indexing path '${path}' must end in /? or /*.`);
  }
  if (policy.indexingMode === "consistent" && !all.some(({ path }) => path === "/*")) {
    throw badRequest(
      'The special mandatory indexing path "/" is not provided in any of the path type sets. ' +
        "Please provide this path in one of the sets.",
    );
  }
}

function checkComposites(composites) {
  for (const composite of composites) {
    if (composite.length < 2) throw badRequest("A composite index needs two paths or more.");
    for (const { path } of composite) {
      if (["*", "?", undefined].includes(parts(path)?.at(-1))) {
        throw badRequest(`The composite path '${path}' must name a property, without /? or /*.`);
      }
    }
  }
}

/** What queries ask of a policy. Paths are arrays of property names, `[]` standing for the elements of an array. */
export class Index {
  constructor(policy) {
    this.consistent = policy.indexingMode === "consistent";
    this.rules = [
      ...policy.includedPaths.map(({ path }) => rule(path, true)),
      ...policy.excludedPaths.map(({ path }) => rule(path, false)),
    ].sort((a, b) => b.precision - a.precision);
    this.composites = (policy.compositeIndexes ?? []).map((paths) =>
      paths.map(({ path, order }) => ({ path: parts(path).join("/"), descending: order === "descending" })),
    );
  }

  /** Whether values at a path are indexed: of the policy's paths that cover it the most precise decides. */
  covers(path) {
    if (!this.consistent) return false;
    if (path.length === 1 && ALWAYS.has(path[0])) return true;
    return this.rules.find((candidate) => candidate.matches(path))?.included ?? false;
  }

  /** Whether the elements of an array at a path, or something in them, are indexed. */
  coversElements(path) {
    const elements = [...path, "[]"];
    const within = ({ included, names }) => included && same(names.slice(0, elements.length), elements);
    return this.covers(elements) || (this.consistent && this.rules.some(within));
  }

  /** Whether a policy names the path itself, so that ORDER BY gives the documents without it too. */
  names(path) {
    return this.rules.some(({ included, exact, names }) => included && exact && same(names, path));
  }

  /** Whether a composite index serves an order over several paths: as written, or all of it reversed. */
  serves(orders) {
    return this.composites.some((composite) => {
      if (composite.length !== orders.length) return false;
      const turned = orders.map(({ path, descending }, i) =>
        path.join("/") === composite[i].path ? descending !== composite[i].descending : null,
      );
      return turned[0] !== null && turned.every((turn) => turn === turned[0]);
    });
  }

  /** How many index terms a document has. */
  terms(document) {
    return this.#count(document, []);
  }

  #count(value, path) {
    if (value === null || typeof value !== "object") return this.covers(path) ? 1 : 0;
    const entries = Array.isArray(value) ? value.map((element) => ["[]", element]) : Object.entries(value);
    return entries.reduce((sum, [name, inner]) => sum + this.#count(inner, [...path, name]), 0);
  }
}

function rule(path, included) {
  const all = parts(path);
  const names = all.slice(0, -1);
  const exact = all.at(-1) === "?";
  const matches = exact
    ? (other) => same(names, other)
    : (other) => names.length <= other.length && same(names, other.slice(0, names.length));
  return { included, exact, names, matches, precision: 2 * names.length + (exact ? 1 : 0) };
}

const same = (a, b) => a.length === b.length && a.every((name, i) => name === b[i]);
