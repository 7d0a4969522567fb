// Queries over the documents of a container: where one runs, whether an index serves it, and its pages.
// https://learn.microsoft.com/rest/api/cosmos-db/query-documents

import * as charges from "./charges.mjs";
import { HIGHEST, LOWEST } from "./epk.mjs";
import { badRequest, Substatus, syntaxError } from "./errors.mjs";
import { decoded, encoded, pageSize } from "./paging.mjs";
import { compiled } from "./sql/engine.mjs";
import { needsMerging, plan } from "./sql/plan.mjs";
import { page } from "./sql/results.mjs";
import { isTrue } from "./headers.mjs";

const NOT_SERVABLE =
  "The provided cross partition query can not be directly served by the gateway. This is a first chance (internal) " +
  "exception that all newer clients will know how to handle gracefully. This exception is traced, but unless you see " +
  "it bubble up as an exception (which only happens on older SDK clients), then you can safely ignore this message.";

/** One page: JSON `texts`, `continuation`, `charge`, and the `ranges` that it came from. */
export function run(container, headers, text, { refuseScans }) {
  const { query, parameters } = given(text);
  const { interval, key } = scope(container, headers);
  const everywhere = key === null && interval === null;
  if (everywhere && needsMerging(query)) throw badRequest(NOT_SERVABLE, Substatus.QUERY_NOT_SERVABLE);
  checkIndex(query, container.index, refuseScans && !isTrue(headers["x-ms-documentdb-query-enable-scan"]));
  const token = decoded(headers["x-ms-continuation"]);
  const options = { query, parameters, size: pageSize(headers) };
  if (key !== null) return single(container, options, token, container.withKey(key), container.rangesOf(key));
  if (!everywhere) {
    return single(container, options, token, container.within(interval), container.ranges.overlapping(interval));
  }
  return onward(container, options, token ?? { min: LOWEST, max: null, inner: null });
}

/** The plan of a query, for clients that merge what its ranges answer. */
export function planned(headers, text) {
  const { query, parameters } = given(text);
  const supported = (headers["x-ms-cosmos-supported-query-features"] ?? "").split(",").map((name) => name.trim());
  return plan(query, parameters, new Set(supported));
}

/** All documents, as a query. */
export const EVERYTHING = JSON.stringify({ query: "SELECT * FROM c" });

/** The part of a container that headers name: one range or a part of it, one partition key, or (both null) all. */
export function scope(container, headers) {
  const id = headers["x-ms-documentdb-partitionkeyrangeid"];
  if (id !== undefined) {
    const { min, max } = container.ranges.byId(id);
    const [start, end] = [headers["x-ms-start-epk"] ?? min, headers["x-ms-end-epk"] ?? max];
    return { interval: { min: start > min ? start : min, max: end < max ? end : max }, key: null };
  }
  const header = headers["x-ms-documentdb-partitionkey"];
  if (header !== undefined) return { interval: null, key: container.parseKey(header) };
  if (!isTrue(headers["x-ms-documentdb-query-enablecrosspartition"])) {
    throw badRequest(
      "Cross partition query is required but disabled. Please set x-ms-documentdb-query-enablecrosspartition to " +
        "true, specify x-ms-documentdb-partitionkey, or revise your query to avoid this exception.",
    );
  }
  return { interval: null, key: null };
}

function given(text) {
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    throw syntaxError("the body is no JSON object with a query.");
  }
  if (typeof body?.query !== "string") throw syntaxError("the body has no query.");
  const query = compiled(body.query);
  const parameters = Object.fromEntries((body.parameters ?? []).map(({ name, value }) => [name.slice(1), value]));
  const missing = query.parameters.find((name) => !Object.hasOwn(parameters, name.slice(1)));
  if (missing !== undefined) throw badRequest(`The query has no value for its parameter ${missing}.`);
  return { query, parameters };
}

function single(container, { query, parameters, size }, token, items, ranges) {
  const found = page(query, items, parameters, container.index, { size, token });
  return {
    texts: found.texts,
    continuation: found.token && encoded(found.token),
    charge: charges.query(found.texts.length, found.bytes),
    ranges,
  };
}

/** The gateway goes from range to range; a page holds results of one of them, so it may be empty before the end. */
function onward(container, { query, parameters, size }, { min, max, inner }) {
  const range = container.ranges.of(min);
  const interval = { min, max: max ?? range.max };
  const found = page(query, container.within(interval), parameters, container.index, { size, token: inner });
  const next = found.token === null ? after(interval) : { ...interval, inner: found.token };
  return {
    texts: found.texts,
    continuation: next && encoded(next),
    charge: charges.query(found.texts.length, found.bytes),
    ranges: container.ranges.overlapping(interval),
  };
}

const after = ({ max }) => (max === HIGHEST ? null : { min: max, max: null, inner: null });

/**
 * Orders need an index always. Filters by a path without one the service may serve by reading every document; the
 * stand-in refuses them unless told otherwise, so that tests catch it.
 */
function checkIndex({ filters, orders }, index, refuse) {
  if (orders.length === 1 && !index.covers(orders[0].path)) {
    throw badRequest("The index path corresponding to the specified order-by item is excluded.");
  }
  if (orders.length > 1 && !index.serves(orders)) {
    throw badRequest("The order by query does not have a corresponding composite index that it can be served from.");
  }
  const scanned = filters.find(({ path, array }) => !(array ? index.coversElements(path) : index.covers(path)));
  if (refuse && scanned !== undefined) {
    throw badRequest(
      "An invalid query has been specified with filters against path(s) excluded from indexing. " +
        `Consider adding allow scan header in the request. (/${scanned.path.join("/")})`,
    );
  }
}
