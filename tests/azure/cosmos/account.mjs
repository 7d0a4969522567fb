// The account: databases and their containers.
// https://learn.microsoft.com/rest/api/cosmos-db/databases, https://learn.microsoft.com/rest/api/cosmos-db/collections

import { Container } from "./container.mjs";
import { badRequest, CosmosError, Substatus } from "./errors.mjs";
import { normalized } from "./indexing.mjs";
import { parts } from "./paths.mjs";
import { described, etag, now, rid } from "./resources.mjs";

const MAX_NAME = 255;
const MAX_KEY_PATHS = 3;

export class Account {
  #databases = new Map();
  #numbers = 0;

  constructor(settings) {
    this.settings = settings;
  }

  /** What GET / answers. */
  describe(endpoint) {
    const here = [{ name: "Local", databaseAccountEndpoint: endpoint }];
    return {
      id: "stand-in",
      _self: "",
      _rid: "stand-in",
      _dbs: "//dbs/",
      media: "//media/",
      addresses: "//addresses/",
      writableLocations: here,
      readableLocations: here,
      enableMultipleWriteLocations: false,
      userReplicationPolicy: { asyncReplication: false, minReplicaSetSize: 1, maxReplicasetSize: 4 },
      userConsistencyPolicy: { defaultConsistencyLevel: "Session" },
      systemReplicationPolicy: { minReplicaSetSize: 1, maxReplicasetSize: 4 },
      readPolicy: { primaryReadCoefficient: 1, secondaryReadCoefficient: 1 },
    };
  }

  /** Forget all databases. */
  clear() {
    this.#databases.clear();
  }

  databases() {
    return [...this.#databases.values()].map(({ properties }) => properties);
  }

  createDatabase(body) {
    checkName(body.id);
    if (this.#databases.has(body.id)) throw exists();
    const number = this.#next();
    const id = rid(number);
    const properties = {
      ...described(body, id, `dbs/${id}/`),
      _colls: "colls/",
      _users: "users/",
    };
    this.#databases.set(body.id, { number, properties, containers: new Map() });
    return properties;
  }

  database(id) {
    return this.#database(id).properties;
  }

  deleteDatabase(id) {
    this.#database(id);
    this.#databases.delete(id);
  }

  containers(database) {
    return [...this.#database(database).containers.values()].map(({ properties }) => properties);
  }

  createContainer(database, body) {
    const { number: owner, containers } = this.#database(database, Substatus.OWNER_NOT_FOUND);
    checkName(body.id);
    if (containers.has(body.id)) throw exists();
    const id = rid(owner, 0x80000000 + this.#next());
    const checked = {
      ...body,
      indexingPolicy: normalized(body.indexingPolicy),
      partitionKey: checkedKey(body.partitionKey),
    };
    const properties = {
      ...described(checked, id, `dbs/${rid(owner)}/colls/${id}/`),
      conflictResolutionPolicy: { mode: "LastWriterWins", conflictResolutionPath: "/_ts" },
      _docs: "docs/",
      _sprocs: "sprocs/",
      _triggers: "triggers/",
      _udfs: "udfs/",
      _conflicts: "conflicts/",
    };
    const link = `dbs/${database}/colls/${body.id}`;
    containers.set(body.id, new Container(link, properties, this.settings.physicalPartitions));
    return properties;
  }

  /** A container; `substatus` tells a missing owner of a document from a missing container. */
  container(database, id, substatus = 0) {
    const found = this.#database(database, substatus).containers.get(id);
    if (found === undefined) throw missing(substatus);
    return found;
  }

  replaceContainer(database, id, body) {
    const container = this.container(database, id);
    const { partitionKey } = container.properties;
    if (body.id !== id) throw badRequest("The id of a container cannot change.");
    if (JSON.stringify(body.partitionKey?.paths) !== JSON.stringify(partitionKey.paths)) {
      throw badRequest("Document collection partition key cannot be changed.");
    }
    const { _rid, _self, ...rest } = container.properties;
    const indexingPolicy = normalized(body.indexingPolicy);
    container.configure({ ...rest, ...body, partitionKey, indexingPolicy, _rid, _self, _etag: etag(), _ts: now() });
    return container.properties;
  }

  deleteContainer(database, id) {
    this.container(database, id);
    this.#database(database).containers.delete(id);
  }

  #database(id, substatus = 0) {
    const found = this.#databases.get(id);
    if (found === undefined) throw missing(substatus);
    return found;
  }

  #next() {
    this.#numbers += 1;
    return this.#numbers;
  }
}

function checkName(id) {
  const fits = typeof id === "string" && id.length > 0 && id.length <= MAX_NAME && !/[/\\?#]|\s$/.test(id);
  if (!fits) throw badRequest("The input name is invalid: it must be 1 to 255 characters without / \\ # ?.");
}

function checkedKey(definition) {
  const { paths, kind = "Hash", version = 1 } = definition ?? {};
  const count = kind === "MultiHash" ? MAX_KEY_PATHS : 1;
  const fits = Array.isArray(paths) && paths.length > 0 && paths.length <= count && paths.every(parts);
  if (!fits || !["Hash", "MultiHash"].includes(kind)) throw badRequest("The partition key definition is invalid.");
  if (version !== 2) throw badRequest("The stand-in knows version 2 of partition keys only.");
  return { paths, kind, version };
}

const exists = () => new CosmosError(409, "Entity with the specified id already exists in the system.");

const missing = (substatus) => new CosmosError(404, "Owner resource does not exist.", substatus);
