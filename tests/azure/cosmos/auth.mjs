// The master key signature of a request.
// https://learn.microsoft.com/rest/api/cosmos-db/access-control-on-cosmosdb-resources

import { createHmac, timingSafeEqual } from "node:crypto";
import { CosmosError } from "./errors.mjs";

/** Refuses a request whose signature does not belong to the key. `segments` are those of its path, decoded. */
export function authorize(key, method, segments, headers) {
  const token = new URLSearchParams(decodeURIComponent(headers.authorization ?? "").replaceAll("+", "%2B"));
  const expected = createHmac("sha256", Buffer.from(key, "base64"))
    .update(payload(method, segments, headers))
    .digest();
  const given = Buffer.from(token.get("sig") ?? "", "base64");
  if (token.get("type") === "master" && given.length === expected.length && timingSafeEqual(given, expected)) return;
  throw new CosmosError(401, "The authorization token does not serve the request; check its key and signed string.");
}

function payload(method, segments, headers) {
  const feed = segments.length % 2 === 1;
  const type = segments[segments.length - (feed ? 1 : 2)] ?? "";
  const link = (feed ? segments.slice(0, -1) : segments).join("/");
  const date = headers["x-ms-date"] ?? "";
  const httpDate = date ? "" : (headers.date ?? "");
  return `${method}\n${type}\n`.toLowerCase() + `${link}\n` + `${date}\n${httpDate}\n`.toLowerCase();
}
