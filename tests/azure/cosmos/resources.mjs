// The system properties of resources.
// https://learn.microsoft.com/azure/cosmos-db/resource-model#properties-of-an-azure-cosmos-db-item

import { randomUUID } from "node:crypto";

/** A resource id: the numbers of a database, a container in it and so on, 32 bits each, in base64 with - for /. */
export function rid(...numbers) {
  const bytes = Buffer.alloc(4 * numbers.length);
  numbers.forEach((number, i) => bytes.writeUInt32BE(number, 4 * i));
  return bytes.toString("base64").replaceAll("/", "-");
}

/** A resource id in a container. */
export function ridWithin(container, number) {
  const bytes = Buffer.from(container.replaceAll("-", "/"), "base64");
  return rid(bytes.readUInt32BE(0), bytes.readUInt32BE(4), 0, number);
}

export const etag = () => `"${randomUUID()}"`;

export const now = () => Math.floor(Date.now() / 1000);

/** A body with the system properties of a new resource. */
export const described = (body, id, self) => ({ ...body, _rid: id, _self: self, _etag: etag(), _ts: now() });
