// What the engine evaluates wrongly, written as what it evaluates right.

import { call, identifier, mapped, query } from "./tree.mjs";

/**
 * A query with BETWEEN and IN as calls that keep types apart, and with each array that is iterated over as a call that
 * gives an empty one for other values.
 */
export function repaired(body) {
  return mapped(iterating(body), repairedNode);
}

function repairedNode(node) {
  const deeper = (part) => mapped(part, repairedNode);
  if (node.type === "scalar_between_expression") {
    return call("_BETWEEN", deeper(node.value), deeper(node.begin), deeper(node.end));
  }
  if (node.type === "scalar_in_expression") {
    return call("_IN", deeper(node.value), ...node.list.map(deeper));
  }
  if (node.type === "from_source" && node.iteration && node.expression.type === "collection_member_expression") {
    const array = query(call("_ARRAY", deeper(scalar(node.expression))));
    return { ...node, expression: { type: "collection_subquery_expression", expression: array } };
  }
  return undefined;
}

/** FROM t IN c.tags as FROM c JOIN t IN c.tags. */
function iterating(body) {
  const source = body.from?.source;
  if (!source?.iteration) return body;
  let root = source.expression;
  while (root.object) root = root.object;
  const collection = { type: "from_source", expression: root, alias: null };
  return { ...body, from: { ...body.from, source: collection, joins: [source, ...body.from.joins] } };
}

function scalar(node) {
  if (node.type === "collection_expression") return identifier(node.expression.name);
  return { ...node, type: "scalar_member_expression", object: scalar(node.object) };
}
