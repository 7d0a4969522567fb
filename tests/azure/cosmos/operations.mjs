// What each request is: its kind, the name it is counted by, and what it does.
// https://learn.microsoft.com/rest/api/cosmos-db/cosmosdb-resource-uri-syntax-for-rest

import * as batch from "./batch.mjs";
import * as changefeed from "./changefeed.mjs";
import * as charges from "./charges.mjs";
import { badRequest, CosmosError, Substatus, tooLarge } from "./errors.mjs";
import { conditions, isTrue, wantsMinimal } from "./headers.mjs";
import * as items from "./items.mjs";
import * as query from "./query.mjs";
import * as session from "./session.mjs";

/**
 * The operation that a request asks for: `kind`, `container` (its name, or null) and `run`, which gives `status`,
 * `body` (an object, a text or none), `headers`, `charge` and the `ranges` touched.
 */
export function operation(request, account) {
  const { method, segments } = request;
  const route = ROUTES.find(({ methods, shape }) => Object.hasOwn(methods, method) && fits(shape, segments));
  if (route === undefined) throw new CosmosError(405, "The requested verb is not supported on this resource.");
  const chosen = route.methods[method];
  const { kind, run } = typeof chosen === "function" ? chosen(request.headers) : chosen;
  return { kind, container: segments[3] ?? null, run: () => run(request, account) };
}

const fits = (shape, segments) =>
  shape.length === segments.length && shape.every((part, i) => part === null || part === segments[i]);

const metadata = (kind, status, work) => ({
  kind,
  run: (request, account) => ({
    status,
    body: work(account, request),
    headers: {},
    charge: charges.METADATA,
    ranges: [],
  }),
});

const list = (name, resources) => ({ _rid: "", [name]: resources, _count: resources.length });

const ROUTES = [
  {
    shape: [],
    methods: { GET: metadata("account.read", 200, (account, { origin }) => account.describe(`${origin}/`)) },
  },
  {
    shape: ["dbs"],
    methods: {
      GET: metadata("database.list", 200, (account) => list("Databases", account.databases())),
      POST: metadata("database.create", 201, (account, { text }) => account.createDatabase(json(text))),
    },
  },
  {
    shape: ["dbs", null],
    methods: {
      GET: metadata("database.read", 200, (account, { segments }) => account.database(segments[1])),
      DELETE: metadata("database.delete", 204, (account, { segments }) => account.deleteDatabase(segments[1])),
    },
  },
  {
    shape: ["dbs", null, "colls"],
    methods: {
      GET: metadata("container.list", 200, (account, { segments }) =>
        list("DocumentCollections", account.containers(segments[1])),
      ),
      POST: metadata("container.create", 201, (account, { segments, text }) =>
        account.createContainer(segments[1], json(text)),
      ),
    },
  },
  {
    shape: ["dbs", null, "colls", null],
    methods: {
      GET: metadata(
        "container.read",
        200,
        (account, { segments }) => account.container(segments[1], segments[3]).properties,
      ),
      PUT: metadata("container.replace", 200, (account, { segments, text }) =>
        account.replaceContainer(segments[1], segments[3], json(text)),
      ),
      DELETE: metadata("container.delete", 204, (account, { segments }) =>
        account.deleteContainer(segments[1], segments[3]),
      ),
    },
  },
  {
    shape: ["dbs", null, "colls", null, "pkranges"],
    methods: { GET: { kind: "ranges.read", run: inContainer(readRanges) } },
  },
  {
    shape: ["dbs", null, "colls", null, "docs"],
    methods: { GET: readFeed, POST: post },
  },
  {
    shape: ["dbs", null, "colls", null, "docs", null],
    methods: {
      GET: item("item.read", (transaction, id, _, when) => items.read(transaction, id, when)),
      PUT: item("item.replace", (transaction, id, text, when) => items.replace(transaction, id, json(text), when)),
      PATCH: item("item.patch", (transaction, id, text, when) => items.patch(transaction, id, json(text), when)),
      DELETE: item("item.delete", (transaction, id, _, when) => items.remove(transaction, id, when)),
    },
  },
];

function post(headers) {
  if (isTrue(headers["x-ms-cosmos-is-batch-request"])) return { kind: "item.batch", run: inContainer(runBatch) };
  if (isTrue(headers["x-ms-cosmos-is-query-plan-request"])) {
    return { kind: "item.query-plan", run: inContainer(runPlan) };
  }
  if (isTrue(headers["x-ms-documentdb-isquery"])) return { kind: "item.query", run: inContainer(runQuery) };
  if (isTrue(headers["x-ms-documentdb-is-upsert"])) {
    return item("item.upsert", (transaction, _, text, when) => items.upsert(transaction, json(text), when));
  }
  return item("item.create", (transaction, _, text) => items.create(transaction, json(text)));
}

function readFeed(headers) {
  if (headers["a-im"] !== undefined) return { kind: "item.change-feed", run: inContainer(readChanges) };
  return { kind: "item.list", run: inContainer(readAll) };
}

function inContainer(work) {
  return (request, account) => {
    const { segments, headers } = request;
    const container = account.container(segments[1], segments[3], Substatus.OWNER_NOT_FOUND);
    const intended = headers["x-ms-cosmos-intended-collection-rid"];
    if (intended !== undefined && intended !== container.rid) {
      throw badRequest("Collection rid mismatch.", Substatus.COLLECTION_RID_MISMATCH);
    }
    const outcome = work(container, request, account.settings);
    outcome.headers = { ...ofContainer(container, outcome.ranges), ...outcome.headers };
    return outcome;
  };
}

function ofContainer(container, ranges) {
  const one = ranges.length === 1 ? ranges[0] : null;
  return {
    "x-ms-alt-content-path": container.link,
    "x-ms-content-path": container.rid,
    ...(ranges.length > 0 ? { "x-ms-session-token": session.token(ranges) } : {}),
    ...(one ? { lsn: String(one.lsn), "x-ms-documentdb-partitionkeyrangeid": one.id } : {}),
  };
}

function item(kind, work) {
  const run = (container, { headers, segments, text }) => {
    const key = fullKey(container, headers);
    const range = container.rangeOf(key);
    if (kind === "item.read") session.check(headers["x-ms-session-token"], [range]);
    const done = container.transact(key, (transaction) => work(transaction, segments[5], text, conditions(headers)));
    const shown = done.item !== undefined && !(kind !== "item.read" && wantsMinimal(headers));
    const version = done.etag ?? done.item?.etag;
    return {
      status: done.status,
      body: shown ? done.item.text : undefined,
      headers: version === undefined ? {} : { etag: version },
      charge: done.charge,
      ranges: [range],
    };
  };
  return { kind, run: inContainer(run) };
}

function fullKey(container, headers) {
  const header = headers["x-ms-documentdb-partitionkey"];
  if (header === undefined) throw badRequest("PartitionKey value must be supplied for this operation.");
  const key = container.parseKey(header);
  if (container.isFull(key)) return key;
  throw badRequest(
    "The partition key supplied in x-ms-partitionkey header has fewer components than defined in the the collection.",
    Substatus.PARTITION_KEY_MISMATCH,
  );
}

function runBatch(container, { headers, text }) {
  if (!isTrue(headers["x-ms-cosmos-batch-atomic"])) throw badRequest("The stand-in knows atomic batches only.");
  const key = fullKey(container, headers);
  const range = container.rangeOf(key);
  session.check(headers["x-ms-session-token"], [range]);
  const { status, results, charge } = batch.run(container, key, text, { minimal: wantsMinimal(headers) });
  return { status, body: results, headers: {}, charge, ranges: [range] };
}

function runPlan(_, { headers, text }) {
  return { status: 200, body: query.planned(headers, text), headers: {}, charge: 1, ranges: [] };
}

function runQuery(container, { headers, text }, settings) {
  const { texts, continuation, charge, ranges } = query.run(container, headers, text, settings);
  session.check(headers["x-ms-session-token"], ranges);
  const continued = continuation === null ? {} : { "x-ms-continuation": continuation };
  return {
    status: 200,
    body: `{"_rid":"${container.rid}","Documents":[${texts.join(",")}],"_count":${texts.length}}`,
    headers: { "x-ms-item-count": String(texts.length), ...continued },
    charge,
    ranges,
  };
}

function readAll(container, { headers }, settings) {
  const everywhere = { "x-ms-documentdb-query-enablecrosspartition": "true", ...headers };
  return runQuery(container, { headers: everywhere, text: query.EVERYTHING }, settings);
}

function readChanges(container, { headers }) {
  const { interval, key } = query.scope(container, headers);
  if (interval === null && key === null) throw badRequest("The change feed is read range by range.");
  const touched = key === null ? container.ranges.overlapping(interval) : container.rangesOf(key);
  session.check(headers["x-ms-session-token"], touched);
  const scoped = key === null ? container.within(interval) : container.withKey(key);
  const { status, documents, etag, charge } = changefeed.page(scoped, touched[0], headers);
  const body = { _rid: container.rid, Documents: documents, _count: documents.length };
  return {
    status,
    body: status === 304 ? undefined : body,
    headers: { etag, "x-ms-item-count": String(documents.length) },
    charge,
    ranges: touched,
  };
}

function readRanges(container, { headers }) {
  const { ranges } = container;
  const etag = `"${ranges.generation}"`;
  const known = headers["if-none-match"];
  const listed = known === undefined ? ranges.all() : ranges.since(Number(known.replaceAll('"', "")));
  const described = listed.map(({ id, min, max, parents, lsn }) => ({
    id,
    _rid: container.rid,
    _self: `${container.properties._self}pkranges/${id}/`,
    _etag: etag,
    minInclusive: min,
    maxExclusive: max,
    status: "online",
    parents,
    throughputFraction: 1 / ranges.all().length,
    _lsn: lsn,
  }));
  const body = { _rid: container.rid, PartitionKeyRanges: described, _count: described.length };
  const unchanged = known !== undefined && described.length === 0;
  return {
    status: unchanged ? 304 : 200,
    body: unchanged ? undefined : body,
    headers: { etag, "x-ms-item-count": String(described.length) },
    charge: 1,
    ranges: [],
  };
}

function json(text) {
  if (Buffer.byteLength(text) > MAX_REQUEST_BYTES) throw tooLarge("Request size is too large.");
  try {
    return JSON.parse(text);
  } catch {
    throw badRequest("The input content is invalid because it is not JSON.");
  }
}

const MAX_REQUEST_BYTES = 4 * 1024 * 1024;
