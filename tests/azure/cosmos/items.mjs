// What is done to one document, within a transaction.
// https://learn.microsoft.com/rest/api/cosmos-db/documents
// Limits: https://learn.microsoft.com/azure/cosmos-db/concepts-limits#per-item-limits

import * as charges from "./charges.mjs";
import { badRequest, CosmosError, Substatus, tooLarge } from "./errors.mjs";
import { patched } from "./patch.mjs";
import { described, ridWithin } from "./resources.mjs";

export const MAX_ITEM_BYTES = 2 * 1024 * 1024;
const MAX_ID_BYTES = 1023;
const MAX_DEPTH = 128;

/** Every operation gives the status, the item that the answer shows (none after a delete) and the charge. */
export function create(transaction, body) {
  checkBody(transaction, body);
  if (transaction.get(body.id) !== undefined) {
    throw new CosmosError(409, "Entity with the specified id already exists in the system.");
  }
  const item = stored(transaction, body);
  return { status: 201, item, charge: charges.insert(item.bytes, item.terms) };
}

export function upsert(transaction, body, conditions) {
  checkBody(transaction, body);
  const before = transaction.get(body.id);
  if (before === undefined) return create(transaction, body);
  return overwrite(transaction, before, body, conditions);
}

export function replace(transaction, id, body, conditions) {
  checkBody(transaction, body);
  if (body.id !== id) throw badRequest("The id of the document differs from the one in the path.");
  return overwrite(transaction, transaction.need(id), body, conditions);
}

export function patch(transaction, id, specification, conditions) {
  const before = transaction.need(id);
  const body = patched(before, specification, transaction.container.properties.partitionKey.paths);
  return overwrite(transaction, before, body, conditions);
}

export function read(transaction, id, conditions) {
  const item = transaction.need(id);
  if (conditions.ifNoneMatch === item.etag || conditions.ifNoneMatch === "*") {
    return { status: 304, etag: item.etag, charge: 1 };
  }
  return { status: 200, item, charge: charges.read(item.bytes) };
}

export function remove(transaction, id, conditions) {
  const before = transaction.need(id);
  checkMatch(before, conditions);
  transaction.remove(id);
  return { status: 204, charge: charges.insert(before.bytes, before.terms) };
}

function overwrite(transaction, before, body, conditions) {
  checkMatch(before, conditions);
  const item = stored(transaction, body, before);
  return { status: 200, item, charge: charges.replace(before, item) };
}

function checkMatch(item, { ifMatch }) {
  if (ifMatch === undefined || ifMatch === "*" || ifMatch === item.etag) return;
  throw new CosmosError(412, "Operation cannot be performed because one of the specified precondition is not met.");
}

function stored(transaction, body, before) {
  const { container } = transaction;
  const { _rid, _self, _etag, _attachments, _ts, _lsn, ...own } = body;
  const sequence = before?.sequence ?? container.nextSequence();
  const rid = before?.rid ?? ridWithin(container.rid, sequence);
  const self = `${container.properties._self}docs/${rid}/`;
  const document = { ...described(own, rid, self), _attachments: "attachments/" };
  const text = JSON.stringify(document);
  const item = {
    id: document.id,
    sequence,
    rid,
    etag: document._etag,
    lsn: transaction.lsn,
    effective: transaction.effective,
    document,
    text,
    bytes: Buffer.byteLength(text),
    terms: container.index.terms(own),
  };
  if (item.bytes > MAX_ITEM_BYTES) throw tooLarge("Request size is too large: a document takes 2 MB at most.");
  transaction.put(item);
  return item;
}

function checkBody(transaction, body) {
  if (body === null || typeof body !== "object" || Array.isArray(body)) {
    throw badRequest("The input content is invalid because it is not a JSON object.");
  }
  checkId(body.id);
  if (depth(body) > MAX_DEPTH) throw badRequest(`A document nests ${MAX_DEPTH} levels at most.`);
  const key = transaction.container.keyOf(body);
  if (key.some((value, i) => value !== transaction.key[i])) {
    throw badRequest(
      "PartitionKey extracted from document doesn't match the one specified in the header.",
      Substatus.PARTITION_KEY_MISMATCH,
    );
  }
}

function checkId(id) {
  if (typeof id !== "string" || id === "") {
    throw badRequest("The input content is invalid because the required properties - 'id; ' - are missing.");
  }
  if (/[/\\?#]/.test(id)) throw badRequest("The input name is invalid: an id must not hold / \\ ? #.");
  if (Buffer.byteLength(id) > MAX_ID_BYTES) throw badRequest(`An id takes ${MAX_ID_BYTES} bytes at most.`);
}

function depth(value) {
  if (value === null || typeof value !== "object") return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depth));
}
