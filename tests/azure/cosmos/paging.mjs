// How much one answer holds.
// https://learn.microsoft.com/azure/cosmos-db/concepts-limits#per-request-limits

import { badRequest } from "./errors.mjs";

export const MAX_RESPONSE_BYTES = 4 * 1024 * 1024;
const DEFAULT_ITEMS = 100;

/** What x-ms-max-item-count asks for; -1 leaves it to the size of the answer. */
export function pageSize(headers) {
  const asked = Number(headers["x-ms-max-item-count"] ?? DEFAULT_ITEMS);
  if (!Number.isInteger(asked) || asked === 0 || asked < -1) throw badRequest("Invalid x-ms-max-item-count.");
  return asked === -1 ? Infinity : asked;
}

export const encoded = (token) => Buffer.from(JSON.stringify(token)).toString("base64");

export function decoded(token) {
  if (token === undefined) return null;
  try {
    return JSON.parse(Buffer.from(token, "base64").toString());
  } catch {
    throw badRequest("The continuation token is malformed.");
  }
}
