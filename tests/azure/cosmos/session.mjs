// Session tokens: RANGE:-1#LSN for each range, joined by commas.
// https://learn.microsoft.com/azure/cosmos-db/consistency-levels#session-consistency

import { CosmosError, Substatus } from "./errors.mjs";

export const token = (ranges) => ranges.map(({ id, lsn }) => `${id}:-1#${lsn}`).join(",");

/** Refuses to read from a range that is behind what the session has seen. */
export function check(header, ranges) {
  const seen = new Map((header ?? "").split(",").map((part) => part.split(":")));
  for (const { id, lsn } of ranges) {
    if (Number(seen.get(id)?.split("#")[1] ?? 0) <= lsn) continue;
    throw new CosmosError(
      404,
      "The read session is not available for the input session token.",
      Substatus.READ_SESSION_NOT_AVAILABLE,
    );
  }
}
