// A container: its documents by logical partition, and transactions over one logical partition.

import { effectiveKey, prefixRange } from "./epk.mjs";
import { badRequest, CosmosError, Substatus } from "./errors.mjs";
import { Index } from "./indexing.mjs";
import { parts, valueAt } from "./paths.mjs";
import { Ranges } from "./ranges.mjs";

const MAX_KEY_BYTES = 2048;

export class Container {
  #partitions = new Map();
  #sequence = 0;

  /** `link` is its path by names, such as dbs/a/colls/b. */
  constructor(link, properties, physicalPartitions) {
    this.link = link;
    this.ranges = new Ranges(physicalPartitions);
    this.configure(properties);
    this.keyPaths = properties.partitionKey.paths.map(parts);
  }

  /** Take new properties. */
  configure(properties) {
    this.properties = properties;
    this.index = new Index(properties.indexingPolicy);
  }

  get rid() {
    return this.properties._rid;
  }

  /** The partition key values that a document holds. */
  keyOf(document) {
    return this.keyPaths.map((path) => valueAt(document, path));
  }

  /** The values of a x-ms-documentdb-partitionkey header; `{}` stands for a missing value. */
  parseKey(header) {
    let values;
    try {
      values = JSON.parse(header);
    } catch {
      values = null;
    }
    if (!Array.isArray(values) || values.length > this.keyPaths.length) {
      throw badRequest("Partition key is invalid.", Substatus.PARTITION_KEY_MISMATCH);
    }
    const key = values.map((value) => (value !== null && typeof value === "object" ? undefined : value));
    if (key.some((value) => Buffer.byteLength(String(value)) > MAX_KEY_BYTES)) {
      throw badRequest(`A partition key value must not exceed ${MAX_KEY_BYTES} bytes.`);
    }
    return key;
  }

  isFull(key) {
    return key.length === this.keyPaths.length;
  }

  /** The live range of a full partition key. */
  rangeOf(key) {
    return this.ranges.of(this.#partition(key).effective);
  }

  /** The live ranges that hold keys which begin with the given one. */
  rangesOf(key) {
    return this.isFull(key) ? [this.rangeOf(key)] : this.ranges.overlapping(prefixRange(key));
  }

  /** The items of one logical partition, or of every key that begins with a shorter one, oldest first. */
  withKey(key) {
    if (!this.isFull(key)) return this.within(prefixRange(key));
    return oldestFirst([...this.#partition(key).items.values()]);
  }

  /** The items whose effective keys lie in an interval, oldest first. */
  within({ min, max }) {
    const partitions = [...this.#partitions.values()].filter(({ effective }) => min <= effective && effective < max);
    return oldestFirst(partitions.flatMap(({ items }) => [...items.values()]));
  }

  /** Do work in a transaction over the logical partition of a full key: all its writes count, or none if it throws. */
  transact(key, work) {
    const partition = this.#partition(key);
    const range = this.ranges.of(partition.effective);
    const transaction = new Transaction(this, key, partition, range.lsn + 1);
    try {
      const result = work(transaction);
      if (transaction.wrote) range.lsn = transaction.lsn;
      return result;
    } catch (error) {
      transaction.rollBack();
      throw error;
    }
  }

  nextSequence() {
    this.#sequence += 1;
    return this.#sequence;
  }

  #partition(key) {
    const name = JSON.stringify(key.map((value) => value ?? (value === null ? null : {})));
    if (!this.#partitions.has(name)) {
      this.#partitions.set(name, { effective: effectiveKey(key), items: new Map() });
    }
    return this.#partitions.get(name);
  }
}

/** The reads and writes of one transaction, and how to take the writes back. */
class Transaction {
  #undo = [];
  #items;

  constructor(container, key, partition, lsn) {
    this.container = container;
    this.key = key;
    this.effective = partition.effective;
    this.lsn = lsn;
    this.#items = partition.items;
  }

  get wrote() {
    return this.#undo.length > 0;
  }

  get(id) {
    return this.#items.get(id);
  }

  need(id) {
    const item = this.get(id);
    if (item === undefined) throw new CosmosError(404, "Entity with the specified id does not exist in the system.");
    return item;
  }

  put(item) {
    this.#remember(item.id);
    this.#items.set(item.id, item);
  }

  remove(id) {
    this.#remember(id);
    this.#items.delete(id);
  }

  rollBack() {
    for (const undo of this.#undo.reverse()) undo();
    this.#undo = [];
  }

  #remember(id) {
    const before = this.#items.get(id);
    this.#undo.push(() => (before === undefined ? this.#items.delete(id) : this.#items.set(id, before)));
  }
}

const oldestFirst = (items) => items.sort((a, b) => a.sequence - b.sequence);
