// Errors as the service answers them: a status, a substatus and {"code", "message"}.
// https://learn.microsoft.com/rest/api/cosmos-db/http-status-codes-for-cosmosdb

const CODES = {
  400: "BadRequest",
  401: "Unauthorized",
  404: "NotFound",
  405: "MethodNotAllowed",
  408: "RequestTimeout",
  409: "Conflict",
  410: "Gone",
  412: "PreconditionFailed",
  413: "RequestEntityTooLarge",
  424: "FailedDependency",
  429: "TooManyRequests",
  449: "RetryWith",
  500: "InternalServerError",
  503: "ServiceUnavailable",
};

/** Substatus codes: what a client tells answers of one status apart by. */
export const Substatus = {
  PARTITION_KEY_MISMATCH: 1001,
  PARTITION_KEY_RANGE_GONE: 1002,
  READ_SESSION_NOT_AVAILABLE: 1002,
  OWNER_NOT_FOUND: 1003,
  QUERY_NOT_SERVABLE: 1004,
  COLLECTION_RID_MISMATCH: 1024,
};

export class CosmosError extends Error {
  constructor(status, message, substatus = 0, headers = {}) {
    super(message);
    this.status = status;
    this.substatus = substatus;
    this.headers = headers;
  }

  get body() {
    return { code: CODES[this.status] ?? String(this.status), message: this.message };
  }
}

export const badRequest = (message, substatus) => new CosmosError(400, message, substatus);

export const tooLarge = (message) => new CosmosError(413, message);

export const gone = () => new CosmosError(410, "The partition key range is gone.", Substatus.PARTITION_KEY_RANGE_GONE);

export const syntaxError = (reason) =>
  badRequest(
    `Message: {"errors":[{"severity":"Error","code":"SC1001","message":${JSON.stringify(`Syntax error: ${reason}`)}}]}`,
  );
