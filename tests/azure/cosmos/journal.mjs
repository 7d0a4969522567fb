// What was called: counts by kind of operation, and the last calls one by one.

import { rounded } from "./charges.mjs";

const KEPT = 5000;

export class Journal {
  #counts = new Map();
  #calls = [];

  /** `fault` tells that a rule struck. */
  record({ kind, container, status, charge, fault }) {
    const count = this.#counts.get(kind) ?? { calls: 0, faults: 0, units: 0 };
    this.#counts.set(kind, {
      calls: count.calls + 1,
      faults: count.faults + (fault ? 1 : 0),
      units: rounded(count.units + charge),
    });
    this.#calls.push({ kind, container, status, charge, fault });
    if (this.#calls.length > KEPT) this.#calls.shift();
  }

  counts() {
    return Object.fromEntries(this.#counts);
  }

  calls() {
    return this.#calls;
  }

  clear() {
    this.#counts.clear();
    this.#calls = [];
  }
}
