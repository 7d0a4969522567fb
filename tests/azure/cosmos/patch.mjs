// Partial document update: a list of operations on paths, and a condition.
// https://learn.microsoft.com/azure/cosmos-db/partial-document-update

import { badRequest, CosmosError } from "./errors.mjs";
import { holds } from "./sql/engine.mjs";

const MAX_OPERATIONS = 10;
const SYSTEM = ["id", "_rid", "_self", "_etag", "_attachments", "_ts"];

/** A patched copy of an item's document. */
export function patched(item, { operations, condition } = {}, keyPaths) {
  if (!Array.isArray(operations) || operations.length === 0 || operations.length > MAX_OPERATIONS) {
    throw badRequest(`A patch has 1 to ${MAX_OPERATIONS} operations.`);
  }
  if (condition !== undefined && !holds(condition, item.document)) {
    throw new CosmosError(412, "The filter predicate of the patch does not hold for the document.");
  }
  const document = structuredClone(item.document);
  for (const operation of operations) apply(document, operation, keyPaths);
  return document;
}

function apply(document, { op, path, from, value }, keyPaths) {
  checkTarget(path, keyPaths);
  const target = locate(document, path);
  switch (op) {
    case "add":
      return add(target, value);
    case "set":
      return isArray(target.owner) ? setElement(target, value) : add(target, value);
    case "replace":
      return write(existing(target), value);
    case "remove":
      return remove(existing(target));
    case "incr":
      return increment(target, value);
    case "move":
      return move(document, target, from, path, keyPaths);
    default:
      throw badRequest(`'${op}' is not a patch operation.`);
  }
}

function add(target, value) {
  if (value === undefined) throw badRequest(`The operation on '${target.path}' has no value.`);
  if (!isArray(target.owner)) return write(target, value);
  return target.owner.splice(position(target, target.owner.length), 0, value);
}

function setElement(target, value) {
  const at = position(target, target.owner.length);
  target.owner[at] = value;
}

function increment(target, value) {
  if (typeof value !== "number") throw badRequest(`The value to add at '${target.path}' is not a number.`);
  const before = target.owner[target.name];
  if (before !== undefined && typeof before !== "number") {
    throw badRequest(`The value at '${target.path}' is not a number.`);
  }
  write(before === undefined ? target : existing(target), (before ?? 0) + value);
}

function move(document, target, from, path, keyPaths) {
  checkTarget(from, keyPaths);
  if (path.startsWith(`${from}/`)) throw badRequest("A value cannot move into itself.");
  const source = existing(locate(document, from));
  const value = source.owner[source.name];
  remove(source);
  add(target, value);
}

function write(target, value) {
  target.owner[isArray(target.owner) ? position(target, target.owner.length - 1) : target.name] = value;
}

function remove({ owner, name }) {
  if (isArray(owner)) owner.splice(Number(name), 1);
  else delete owner[name];
}

function locate(document, path) {
  const names = path
    .slice(1)
    .split("/")
    .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
  const owner = names.slice(0, -1).reduce((value, name) => value?.[name], document);
  if (owner === null || typeof owner !== "object") throw badRequest(`Nothing holds the path '${path}'.`);
  return { owner, name: names.at(-1), path };
}

function existing(target) {
  if (!Object.hasOwn(target.owner, target.name)) throw badRequest(`There is nothing at '${target.path}'.`);
  return target;
}

function position({ owner, name, path }, highest) {
  const at = name === "-" ? owner.length : Number(name);
  if (!Number.isInteger(at) || at < 0 || at > highest) throw badRequest(`'${path}' lies outside of its array.`);
  return at;
}

function checkTarget(path, keyPaths) {
  if (typeof path !== "string" || !path.startsWith("/")) throw badRequest("A patch path must begin with /.");
  const touched =
    SYSTEM.some((name) => path === `/${name}`) || keyPaths.some((key) => `${key}/`.startsWith(`${path}/`));
  if (touched) throw badRequest(`'${path}' cannot be patched.`);
}

const isArray = Array.isArray;
