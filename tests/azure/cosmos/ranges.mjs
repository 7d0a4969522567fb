// The partition key ranges (physical partitions) of a container, and how one splits in two.
// https://learn.microsoft.com/rest/api/cosmos-db/get-partition-key-ranges

import { HIGHEST, LOWEST } from "./epk.mjs";
import { badRequest, gone } from "./errors.mjs";

const SPACE = (1n << 126n) - 1n; // hashes have their two highest bits cleared

export class Ranges {
  #ranges = new Map();
  #generation = 1;

  constructor(count) {
    const bounds = Array.from({ length: count + 1 }, (_, i) => hex((SPACE * BigInt(i)) / BigInt(count)));
    [bounds[0], bounds[count]] = [LOWEST, HIGHEST];
    for (let i = 0; i < count; i += 1) this.#add(bounds[i], bounds[i + 1], [], 0);
  }

  /** Changes with every split. */
  get generation() {
    return this.#generation;
  }

  /** The live ranges, lowest first. */
  all() {
    const live = [...this.#ranges.values()].filter((range) => !range.gone);
    return live.sort((a, b) => (a.min < b.min ? -1 : 1));
  }

  /** The live ranges that came after a generation. */
  since(generation) {
    return this.all().filter((range) => range.generation > generation);
  }

  /** The range with an id; one that has split, or never was, is gone. */
  byId(id) {
    const range = this.#ranges.get(id);
    if (range === undefined || range.gone) throw gone();
    return range;
  }

  /** The range that holds an effective key. */
  of(key) {
    return this.all().find((range) => range.min <= key && key < range.max);
  }

  /** The ranges that hold a part of an interval of effective keys. */
  overlapping({ min, max }) {
    return this.all().filter((range) => range.min < max && min < range.max);
  }

  /** Split a range in two at an effective key. */
  split(id, at) {
    const parent = this.byId(id);
    if (!(parent.min < at && at < parent.max)) throw badRequest("The key to split at lies outside the range.");
    parent.gone = true;
    this.#generation += 1;
    const parents = [...parent.parents, parent.id];
    return [this.#add(parent.min, at, parents, parent.lsn), this.#add(at, parent.max, parents, parent.lsn)];
  }

  #add(min, max, parents, lsn) {
    const id = String(this.#ranges.size);
    const range = { id, min, max, parents, lsn, generation: this.#generation, gone: false };
    this.#ranges.set(id, range);
    return range;
  }
}

/** The middle of a range's keys. */
export function middle(range) {
  return hex((number(range.min) + number(range.max)) / 2n);
}

const hex = (value) => value.toString(16).toUpperCase().padStart(32, "0");

function number(bound) {
  if (bound === LOWEST) return 0n;
  return bound === HIGHEST ? SPACE : BigInt(`0x${bound.slice(0, 32)}`);
}
