// Compiling queries. @zeit/cosmosdb-query judges the grammar and evaluates FROM, JOIN, WHERE and expressions, for one
// document at a time; ordering, grouping, aggregating and paging are in results.mjs.

import { createRequire } from "node:module";
import { badRequest, syntaxError } from "../errors.mjs";
import { filterPaths } from "./filters.mjs";
import { equal, functions } from "./functions.mjs";
import { withoutOperators } from "./operators.mjs";
import { parse, SyntaxError } from "./parser.mjs";
import { repaired } from "./repair.mjs";
import { clauses, tokens } from "./text.mjs";
import { identifier, isCall, isSubquery, mapped, member, object, path, query, same, visit } from "./tree.mjs";

const require = createRequire(import.meta.url);
const helpers = require("@zeit/cosmosdb-query/lib/helpers.js");
const aggregates = require("@zeit/cosmosdb-query/lib/aggregate-functions.js");

const MAX_BYTES = 512 * 1024;
const REMEMBERED = 500;
const GROUP = "group_"; // what a group's values are called in what is selected of it

// Each document is evaluated alone, so that the engine has nothing to sort or page.
const HELPERS = {
  ...helpers,
  equal,
  notEqual: (a, b) => helpers.not(equal(a, b)),
  sort: (rows) => rows,
  paginate: (rows) => ({ result: rows.map(([row]) => row) }),
};

const remembered = new Map();

/** A compiled query; the same text is compiled once. */
export function compiled(text) {
  if (Buffer.byteLength(text) > MAX_BYTES) throw badRequest("A query takes 512 KB at most.");
  if (!remembered.has(text)) {
    if (remembered.size === REMEMBERED) remembered.delete(remembered.keys().next().value);
    remembered.set(text, new Query(text));
  }
  return remembered.get(text);
}

/** Whether a document meets the filter of a patch, such as "FROM c WHERE c.x = 1". */
export function holds(filter, document) {
  return compiled(`SELECT VALUE true ${filter}`).rows(document, {}).length > 0;
}

class Query {
  constructor(text) {
    this.clauses = clauses(text);
    this.parameters = tokens(text).flatMap(({ kind, text: name }) => (kind === "parameter" ? [name] : []));
    const body = parsed(written(this.clauses));
    checkNames(body);
    this.filters = filterPaths(body);
    this.orders = orders(body);
    this.projection = projection(body);
    this.aggregates = aggregateCalls(this.projection);
    this.groups = this.clauses.groupBy === undefined ? [] : listOf(this.clauses.groupBy);
    this.#rows = executable(query(object(this.#columns()), body));
    if (this.grouped) this.#group = executable(query(this.#ofGroup(), parsed(`SELECT * FROM ${GROUP}`)));
  }

  #rows;
  #group;

  get grouped() {
    return this.groups.length > 0 || this.aggregates.length > 0;
  }

  /** The names in capitals of the aggregates that the columns `a0` … go through. */
  get aggregateNames() {
    return this.aggregates.map(({ name }) => name.name.toUpperCase());
  }

  /**
   * The rows of one document: `r`, what is selected, or, for grouping, `g0` …, what is grouped by, and `a0` …, what
   * is aggregated; and `o0` …, what is ordered by.
   */
  rows(document, parameters) {
    return this.#rows([document], parameters);
  }

  /** What is selected of a group, whose columns are `g0` … and the aggregated `a0` …; undefined for nothing. */
  ofGroup(columns, parameters) {
    return this.#group([columns], parameters)[0];
  }

  #columns() {
    const named = (letter, nodes) => nodes.map((node, i) => [`${letter}${i}`, node]);
    const grouping = () => [...named("g", this.groups), ...named("a", this.aggregates.map(argument))];
    const selected = this.grouped ? grouping() : [["r", this.projection]];
    const ordering = this.orders.map(({ expression }) => expression);
    return [...selected, ...named("o", ordering)];
  }

  #ofGroup() {
    const group = identifier(GROUP);
    const column = (letter, nodes, node) => {
      const i = nodes.findIndex((other) => same(other, node));
      return i < 0 ? undefined : member(group, `${letter}${i}`);
    };
    const replaced = mapped(
      this.projection,
      (node) => column("g", this.groups, node) ?? column("a", this.aggregates, node),
    );
    visit(replaced, (node) => {
      if (isSubquery(node)) throw badRequest("A subquery beside an aggregate or GROUP BY is not supported.");
      if (node.type !== "identifier" || node.name === GROUP) return;
      throw badRequest(
        `Property reference '${node.name}' is invalid in the select list because it is not contained in either an ` +
          "aggregate function or the GROUP BY clause.",
      );
    });
    return replaced;
  }
}

function written({ select, from, where, orderBy }) {
  const clause = (name, text) => (text === undefined ? "" : ` ${name} ${text}`);
  return `SELECT ${select}${clause("FROM", from)}${clause("WHERE", where)}${clause("ORDER BY", orderBy)}`;
}

function parsed(text) {
  return judged(() => parse(withoutOperators(text)).ast.body);
}

function judged(work) {
  try {
    return work();
  } catch (error) {
    throw error instanceof SyntaxError ? syntaxError(error.message) : error;
  }
}

function executable(body) {
  const compiling = parse("SELECT VALUE 1");
  compiling.ast.body = repaired(body);
  const code = judged(() => compiling.code);
  const execute = new Function(`"use strict"; return (${code})`)();
  return (documents, parameters) =>
    judged(() => execute(aggregates, functions, documents, HELPERS, {}, parameters).result);
}

const listOf = (text) => parsed(`SELECT VALUE [${text}]`).select.value.elements;

function orders({ from, orderBy }) {
  return (orderBy?.expressions ?? []).map(({ expression, order }) => {
    const place = path(expression);
    if (place === null || place.names.length === 0 || place.root !== rootName(from)) {
      throw badRequest("Unsupported ORDER BY clause. ORDER BY item expression could not be mapped to a document path.");
    }
    return { expression, path: place.names, descending: order === "DESC" };
  });
}

/** What is selected, as one expression. */
function projection({ select, from }) {
  if (select["*"]) return everything(from);
  if (select.value) return select.value;
  let unnamed = 0;
  return object(
    select.properties.properties.map(({ property, alias }) => {
      const place = path(property);
      const name = alias?.name ?? place?.names.at(-1) ?? place?.root;
      unnamed += name === undefined ? 1 : 0;
      return [name ?? `$${unnamed}`, property];
    }),
  );
}

function everything(from) {
  if (from === null) throw syntaxError("'SELECT *' is not valid if FROM clause is omitted.");
  if (from.joins.length > 0) throw syntaxError("'SELECT *' is only valid with a single input set.");
  return identifier(rootName(from));
}

/** What the documents are called in a query. */
export function rootName({ source: { alias, expression } }) {
  const place = path(expression);
  return alias?.name ?? place.names.at(-1) ?? place.root;
}

function aggregateCalls(node) {
  const found = [];
  visit(node, (part) => {
    if (!isAggregate(part)) return !isSubquery(part);
    if (part.arguments.length !== 1) throw badRequest(`${part.name.name} takes one argument.`);
    if (!found.some((other) => same(other, part))) found.push(part);
    return false;
  });
  return found;
}

const argument = (node) => node.arguments[0];

const isAggregate = (node) => isCall(node) && !node.udf && Object.hasOwn(aggregates, node.name.name.toUpperCase());

function checkNames(body) {
  visit(body, (node) => {
    if (!isCall(node)) return;
    const known = Object.hasOwn(functions, node.name.name.toUpperCase()) || isAggregate(node);
    if (node.udf || !known) throw badRequest(`'${node.name.name}' is not a recognized built-in function name.`);
  });
  visit(body.where, (node) => {
    if (isAggregate(node)) throw badRequest("An aggregate is not allowed in WHERE.");
    return !isSubquery(node);
  });
}

/** The engine's aggregate functions over arrays, and its removal of undefined values from a result. */
export { aggregates };
export const { stripUndefined } = helpers;
