// Functions of the query language that the engine lacks or gets wrong, by their names in capitals.
// https://learn.microsoft.com/azure/cosmos-db/nosql/query/system-functions
// Names that begin with _ stand for operators; undefined is the result of operands of the wrong type.

import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const builtins = require("@zeit/cosmosdb-query/lib/builtin-functions.js");
const helpers = require("@zeit/cosmosdb-query/lib/helpers.js");

/**
 * Equality as the service has it: values of different types compare to undefined, not to false.
 * https://learn.microsoft.com/azure/cosmos-db/nosql/query/equality-comparison-operators
 */
export function equal(a, b) {
  const types = [a, b].map((value) => (isArray(value) ? "array" : value === null ? "null" : typeof value));
  return types[0] === types[1] ? helpers.equal(a, b) : undefined;
}

const isString = (value) => typeof value === "string";
const isArray = Array.isArray;

const strings =
  (test) =>
  (a, b, ignoreCase = false) => {
    if (!isString(a) || !isString(b) || typeof ignoreCase !== "boolean") return undefined;
    return ignoreCase ? test(a.toLowerCase(), b.toLowerCase()) : test(a, b);
  };

const own = {
  CONTAINS: strings((a, b) => a.includes(b)),
  STARTSWITH: strings((a, b) => a.startsWith(b)),
  ENDSWITH: strings((a, b) => a.endsWith(b)),
  STRINGEQUALS: strings((a, b) => a === b),
  REPLACE: (a, b, c) => ([a, b, c].every(isString) ? a.replaceAll(b, () => c) : undefined),
  RIGHT: (a, b) => (isString(a) && typeof b === "number" ? a.slice(Math.max(0, a.length - b)) : undefined),
  STRINGTONUMBER: (a) => (isString(a) && a.trim() !== "" && !Number.isNaN(Number(a)) ? Number(a) : undefined),
  REGEXMATCH: (text, pattern, flags = "") =>
    [text, pattern, flags].every(isString) ? new RegExp(pattern, `${flags}u`).test(text) : undefined,
  IIF: (test, a, b) => (test === true ? a : b),
  ARRAY_CONTAINS_ANY: (array, ...wanted) => (isArray(array) ? wanted.some((one) => holds(array, one)) : undefined),
  ARRAY_CONTAINS_ALL: (array, ...wanted) => (isArray(array) ? wanted.every((one) => holds(array, one)) : undefined),
  IS_INTEGER: (value) => Number.isInteger(value),
  IS_FINITE_NUMBER: (value) => Number.isFinite(value),
  _LIKE: (value, pattern, escape) =>
    isString(value) && isString(pattern) ? likePattern(pattern, escape).test(value) : undefined,
  _IN: (value, ...list) => list.map((one) => equal(value, one)).reduce(helpers.or),
  _BETWEEN: (value, begin, end) => helpers.and(helpers.compare(">=", value, begin), helpers.compare("<=", value, end)),
  _ARRAY: (value) => (isArray(value) ? value : []),
};

/** All functions. */
export const functions = { ...builtins, ...own };

const holds = (array, wanted) => array.some((value) => equal(value, wanted) === true);

const SPECIAL = { "%": ".*", _: "." };

/** % is any text, _ any character, [a-c] and [^a-c] one of some, as in SQL. */
function likePattern(pattern, escape) {
  let source = "";
  for (let at = 0; at < pattern.length; at += 1) {
    const sign = pattern[at];
    const end = sign === "[" ? pattern.indexOf("]", at) : -1;
    if (sign === escape) {
      at += 1;
      source += literal(pattern[at] ?? "");
    } else if (end > 0) {
      source += pattern.slice(at, end + 1).replaceAll("\\", "\\\\");
      at = end;
    } else {
      source += SPECIAL[sign] ?? literal(sign);
    }
  }
  return new RegExp(`^${source}$`, "su");
}

const literal = (text) => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, "\\$&");
