// Query plans: what a client needs to run a query over several ranges and to merge their answers, as the SDKs do.
// Which queries the gateway leaves to the client:
// https://learn.microsoft.com/rest/api/cosmos-db/querying-cosmosdb-resources-using-the-rest-api

import { badRequest } from "../errors.mjs";
import { HIGHEST, LOWEST } from "../epk.mjs";
import { listed, tokens } from "./text.mjs";
import { isCall, path } from "./tree.mjs";

const FILTER = "{documentdb-formattableorderbyquery-filter}"; // the client puts its condition for resuming here
const KINDS = { COUNT: "Count", SUM: "Sum", MIN: "Min", MAX: "Max", AVG: "Average" };

/** Whether a query needs its ranges' answers merged, which the gateway does not do. */
export function needsMerging(query) {
  const { distinct, top, offset } = query.clauses;
  return distinct || query.grouped || query.orders.length > 0 || top !== undefined || offset !== undefined;
}

/** The plan of a query; `supported` are the features that the client can merge. */
export function plan(query, parameters, supported) {
  const missing = features(query).find((feature) => !supported.has(feature));
  if (missing !== undefined) {
    throw badRequest(
      "Query contains 1 or more unsupported features. Upgrade your SDK to a version that does support the requested " +
        `features: Query contained ${missing}, which the calling client does not support.`,
    );
  }
  const { select, distinct, top, offset, limit } = query.clauses;
  const number = (text) =>
    text === undefined ? null : text.startsWith("@") ? parameters[text.slice(1)] : Number(text);
  const counts = { top: number(top), offset: number(offset), limit: number(limit) };
  return {
    partitionedQueryExecutionInfoVersion: 2,
    queryInfo: {
      distinctType: distinct ? "Unordered" : "None",
      ...counts,
      orderBy: query.orders.map(({ descending }) => (descending ? "Descending" : "Ascending")),
      orderByExpressions: orderTexts(query),
      groupByExpressions: [],
      groupByAliases: [],
      aggregates: query.aggregateNames.map((name) => KINDS[name]),
      groupByAliasToAggregateType: {},
      rewrittenQuery: rewritten(query, counts),
      hasSelectValue: /^VALUE\b/i.test(select),
      hasNonStreamingOrderBy: false,
    },
    queryRanges: [{ min: LOWEST, max: HIGHEST, isMinInclusive: true, isMaxInclusive: false }],
  };
}

function features(query) {
  const { distinct, top, offset } = query.clauses;
  const alone = query.aggregates.length === 0 || isCall(query.projection);
  return [
    query.groups.length > 0 && "GroupBy",
    query.aggregates.length > 0 && (alone ? "Aggregate" : "NonValueAggregate"),
    distinct && "Distinct",
    query.orders.length > 0 && "OrderBy",
    query.orders.length > 1 && "MultipleOrderBy",
    top !== undefined && "Top",
    offset !== undefined && "OffsetAndLimit",
  ].filter(Boolean);
}

/** The query for each range; empty where it is the client's own. */
function rewritten(query, { top, offset, limit }) {
  const { select, from, where, orderBy, distinct } = query.clauses;
  const source = from === undefined ? "" : ` FROM ${from}`;
  const filter = where === undefined ? "" : ` WHERE ${where}`;
  const enough = offset === null ? "" : ` OFFSET 0 LIMIT ${offset + limit}`;
  const first = top === null ? "" : `TOP ${top} `;
  if (query.aggregates.length > 0) return `SELECT VALUE [${partial(query)}]${source}${filter}`;
  if (query.orders.length === 0) {
    return enough && `SELECT ${distinct ? "DISTINCT " : ""}${select}${source}${filter}${enough}`;
  }
  const items = orderTexts(query).map((text) => `{"item": ${text}}`);
  const condition = where === undefined ? FILTER : `(${where}) AND (${FILTER})`;
  const root = rootText(query);
  return (
    `SELECT ${distinct ? "" : first}${root}._rid, [${items.join(", ")}] AS orderByItems, ` +
    `${payload(query, root)} AS payload${source} WHERE ${condition} ORDER BY ${orderBy}${distinct ? "" : enough}`
  );
}

/** What each range answers of an aggregate, so that the client can put them together. */
function partial({ clauses, aggregateNames: [name] }) {
  const call = clauses.select.replace(/^VALUE\s+/i, "");
  const of = (other) => call.replace(/^\w+/, other);
  if (name === "AVG") return `{"item": {"sum": ${of("SUM")}, "count": ${of("COUNT")}}}`;
  if (name !== "MIN" && name !== "MAX") return `{"item": ${call}}`;
  return `{"item": ${call}, "item2": {"${name.toLowerCase()}": ${call}, "count": ${of("COUNT")}}}`;
}

const orderTexts = ({ clauses }) =>
  clauses.orderBy === undefined ? [] : listed(clauses.orderBy).map((text) => text.replace(/\s+(?:ASC|DESC)$/i, ""));

const rootText = ({ orders }) => path(orders[0].expression).root;

function payload({ clauses: { select }, projection }, root) {
  if (select === "*") return root;
  if (/^VALUE\b/i.test(select)) return select.replace(/^VALUE\s+/i, "");
  const names = projection.properties.map(({ key }) => JSON.stringify(key.value));
  return `{${listed(select)
    .map((text, i) => `${names[i]}: ${unnamed(text)}`)
    .join(", ")}}`;
}

/** An element of a select list without its alias. */
function unnamed(text) {
  const all = tokens(text);
  const before = all.at(-2);
  if (before === undefined || before.text === "." || all.at(-1).kind !== "word") return text;
  return text.slice(0, before.keyword === "AS" ? before.start : before.end).trim();
}
