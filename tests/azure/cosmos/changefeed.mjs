// The change feed, latest version mode: each document at its last change, in the order of changes of its range.
// https://learn.microsoft.com/rest/api/cosmos-db/list-documents
// https://learn.microsoft.com/azure/cosmos-db/change-feed-modes

import * as charges from "./charges.mjs";
import { badRequest } from "./errors.mjs";
import { MAX_RESPONSE_BYTES, pageSize } from "./paging.mjs";

/**
 * One page of the changes among items of a range.
 *
 * The continuation is the log sequence number of the last change given. What one transaction wrote shares a number and
 * comes in one page, even when that exceeds the page size asked for.
 */
export function page(items, range, headers) {
  if (!/^incremental feed$/i.test(headers["a-im"])) throw badRequest("The stand-in knows the incremental feed only.");
  const after = start(headers["if-none-match"], range);
  const since = Date.parse(headers["if-modified-since"] ?? "") / 1000 || 0;
  const changed = items
    .filter(({ lsn, document }) => lsn > after && document._ts >= since)
    .sort((a, b) => a.lsn - b.lsn || a.sequence - b.sequence);
  const given = cut(changed, pageSize(headers));
  const complete = given.length === changed.length;
  const continuation = complete ? Math.max(range.lsn, after) : given.at(-1).lsn;
  const bytes = given.reduce((sum, item) => sum + item.bytes, 0);
  return {
    status: given.length > 0 ? 200 : 304,
    documents: given.map(({ document, lsn }) => ({ ...document, _lsn: lsn })),
    etag: `"${continuation}"`,
    charge: charges.feed(given.length, bytes),
  };
}

function start(etag, range) {
  if (etag === undefined) return 0;
  if (etag === "*") return range.lsn;
  const lsn = Number(etag.replaceAll('"', ""));
  if (!Number.isInteger(lsn)) throw badRequest("The continuation of the change feed is not valid.");
  return lsn;
}

function cut(changed, limit) {
  let bytes = 0;
  for (const [at, { lsn, bytes: more }] of changed.entries()) {
    const full = at >= limit || bytes + more > MAX_RESPONSE_BYTES;
    if (full && at > 0 && lsn !== changed[at - 1].lsn) return changed.slice(0, at);
    bytes += more;
  }
  return changed;
}
