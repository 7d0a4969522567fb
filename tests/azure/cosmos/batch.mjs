// Transactional batches: up to 100 operations on one logical partition, all or nothing.
// https://learn.microsoft.com/azure/cosmos-db/transactional-batch

import { badRequest, CosmosError, tooLarge } from "./errors.mjs";
import * as items from "./items.mjs";

const MAX_OPERATIONS = 100;
const MAX_BYTES = 2 * 1024 * 1024;
const FAILED_DEPENDENCY = 424;

const OPERATIONS = {
  Create: (transaction, { resourceBody }) => items.create(transaction, resourceBody),
  Upsert: (transaction, { resourceBody }, conditions) => items.upsert(transaction, resourceBody, conditions),
  Replace: (transaction, { id, resourceBody }, conditions) => items.replace(transaction, id, resourceBody, conditions),
  Patch: (transaction, { id, resourceBody }, conditions) => items.patch(transaction, id, resourceBody, conditions),
  Read: (transaction, { id }, conditions) => items.read(transaction, id, conditions),
  Delete: (transaction, { id }, conditions) => items.remove(transaction, id, conditions),
};

/** Gives the status of the whole, one result for each operation, and the charge. */
export function run(container, key, text, { minimal }) {
  if (Buffer.byteLength(text) > MAX_BYTES) throw tooLarge("Request size is too large: a batch takes 2 MB at most.");
  const operations = parsed(text);
  try {
    const outcomes = container.transact(key, (transaction) => inOrder(transaction, operations));
    const results = outcomes.map((outcome) => described(outcome, minimal));
    return { status: 200, results, charge: total(outcomes) };
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    const results = operations.map((_, i) => (i === error.at ? error.result : dependent()));
    return { status: 207, results, charge: error.charge };
  }
}

/** An operation that failed, which takes back the whole batch. */
class Failed extends Error {
  constructor(at, cause, charge) {
    super("An operation of the batch failed.");
    this.at = at;
    this.charge = charge;
    this.result = { statusCode: cause.status, subStatusCode: cause.substatus, requestCharge: 1 };
  }
}

function inOrder(transaction, operations) {
  const outcomes = [];
  for (const [at, operation] of operations.entries()) {
    try {
      const conditions = { ifMatch: operation.ifMatch, ifNoneMatch: operation.ifNoneMatch };
      outcomes.push(OPERATIONS[operation.operationType](transaction, operation, conditions));
    } catch (error) {
      if (!(error instanceof CosmosError)) throw error;
      throw new Failed(at, error, total(outcomes) + 1);
    }
  }
  return outcomes;
}

function parsed(text) {
  const operations = JSON.parse(text);
  if (!Array.isArray(operations) || operations.length === 0) throw badRequest("A batch is an array of operations.");
  if (operations.length > MAX_OPERATIONS) {
    throw badRequest("Batch request has more operations than what is supported.");
  }
  if (!operations.every(({ operationType }) => Object.hasOwn(OPERATIONS, operationType))) {
    throw badRequest("The batch holds an unknown operation.");
  }
  return operations;
}

function described({ status, item, charge }, minimal) {
  const shown = item && !minimal ? { resourceBody: item.document } : {};
  return { statusCode: status, requestCharge: charge, ...(item ? { eTag: item.etag } : {}), ...shown };
}

const dependent = () => ({ statusCode: FAILED_DEPENDENCY, requestCharge: 0 });

const total = (outcomes) => outcomes.reduce((sum, { charge }) => sum + charge, 0);
