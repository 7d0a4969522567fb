// Nodes of the engine's syntax tree: making, finding and replacing them.

export const identifier = (name) => ({ type: "identifier", name });

const string = (value) => ({ type: "string_constant", value });

export const member = (object, name) => ({
  type: "scalar_member_expression",
  object,
  property: identifier(name),
  computed: false,
});

export const call = (name, ...args) => ({
  type: "scalar_function_expression",
  name: identifier(name),
  arguments: args,
});

export const object = (entries) => ({
  type: "scalar_object_expression",
  properties: entries.map(([name, value]) => ({ key: string(name), value })),
});

/** SELECT VALUE of an expression. */
export const query = (expression, { from = null, where = null } = {}) => ({
  type: "select_query",
  top: null,
  select: { type: "select_specification", value: expression },
  from,
  where,
  orderBy: null,
});

export const isCall = ({ type }) => type === "scalar_function_expression";

export const isSubquery = ({ type }) => type.endsWith("subquery_expression");

const isMember = ({ type }) => type.endsWith("member_expression");

export const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** Names that are no expressions: of functions, properties and aliases. */
const isName = (node, part) =>
  part === "alias" ||
  part === "key" ||
  (part === "name" && isCall(node)) ||
  (part === "property" && node.type !== undefined && isMember(node) && !node.computed);

/** A copy in which `change` has replaced expressions; where it gives undefined, their parts are gone through. */
export function mapped(node, change) {
  if (Array.isArray(node)) return node.map((part) => mapped(part, change));
  if (node === null || typeof node !== "object") return node;
  const changed = node.type === undefined ? undefined : change(node);
  if (changed !== undefined) return changed;
  const entries = Object.entries(node);
  return Object.fromEntries(entries.map(([name, part]) => [name, isName(node, name) ? part : mapped(part, change)]));
}

/** Every expression from the top down; where `enter` gives false, its parts are left out. */
export function visit(node, enter) {
  if (Array.isArray(node)) return node.forEach((part) => visit(part, enter));
  if (node === null || typeof node !== "object") return;
  if (node.type !== undefined && enter(node) === false) return;
  for (const [name, part] of Object.entries(node)) if (!isName(node, name)) visit(part, enter);
}

/** The root and the names of a path such as c.a["b"], elements as []; null for other expressions. */
export function path(node) {
  if (node.type === "identifier") return { root: node.name, names: [] };
  if (node.type === "collection_expression") return path(node.expression);
  if (!isMember(node)) return null;
  const owner = path(node.object);
  const name = node.computed ? computedName(node.property) : node.property.name;
  return owner === null || name === null ? null : { root: owner.root, names: [...owner.names, name] };
}

function computedName({ type, value }) {
  if (type === "string_constant") return value;
  return type === "number_constant" ? "[]" : null;
}
