// Faults on request: rules that make the nth matching call fail, be slow, or lose its connection.

import { badRequest, CosmosError } from "./errors.mjs";

const DEFAULTS = { kind: "*", container: null, nth: 1, times: 1, when: "before", status: null, substatus: 0 };
const MORE = { retryAfterMs: null, delayMs: 0, cut: false };
const KNOWN = { ...DEFAULTS, ...MORE };

/**
 * A rule: `kind` is a kind of operation (item.batch), the front of several (item.*) or * for all; `container` limits it
 * to one name; it strikes at calls `nth` to `nth + times - 1` (`times` null: for good). `when` it strikes `before` the
 * operation, nothing happened; `after` it, what was written stays. It delays by `delayMs`, then cuts the connection or
 * answers `status`; with neither, the operation goes its way.
 */
export class Faults {
  #rules = [];

  set(rules) {
    this.#rules = rules.map((rule) => {
      const unknown = Object.keys(rule).find((name) => !Object.hasOwn(KNOWN, name));
      if (unknown !== undefined) throw badRequest(`'${unknown}' is not a property of a fault.`);
      return { ...KNOWN, ...rule, seen: 0 };
    });
  }

  clear() {
    this.#rules = [];
  }

  /** The first rule that strikes at this call. Every rule that matches counts the call. */
  strike(operation) {
    const striking = this.#rules.filter((rule) => matches(rule, operation) && due(rule));
    return striking[0] ?? null;
  }
}

/** What a rule answers. */
export function answer({ status, substatus, retryAfterMs }) {
  const headers = retryAfterMs === null ? {} : { "x-ms-retry-after-ms": String(retryAfterMs) };
  return new CosmosError(status, "A fault that the test asked for.", substatus, headers);
}

function matches({ kind, container }, operation) {
  const named = kind.endsWith("*") ? operation.kind.startsWith(kind.slice(0, -1)) : operation.kind === kind;
  return named && (container === null || container === operation.container);
}

function due(rule) {
  rule.seen += 1;
  return rule.seen >= rule.nth && (rule.times === null || rule.seen < rule.nth + rule.times);
}
