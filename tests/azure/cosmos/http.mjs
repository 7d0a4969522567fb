// From an HTTP request to its answer: authorisation, faults, the operation, the common headers, the journal.
// https://learn.microsoft.com/rest/api/cosmos-db/common-cosmosdb-rest-response-headers

import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { authorize } from "./auth.mjs";
import { CosmosError, tooLarge } from "./errors.mjs";
import { answer } from "./faults.mjs";
import { operation } from "./operations.mjs";

const MAX_BYTES = 32 * 1024 * 1024;

/** A request read whole: `method`, `segments` of its path, `headers`, `text` of its body, `origin` of the server. */
export async function received(message) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of message) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw tooLarge("Request size is too large.");
    chunks.push(chunk);
  }
  const { pathname } = new URL(message.url, "http://stand-in");
  return {
    method: message.method,
    segments: pathname.split("/").filter(Boolean).map(decodeURIComponent),
    headers: message.headers,
    text: Buffer.concat(chunks).toString(),
    origin: `http://${message.headers.host}`,
  };
}

/** Answer a request of the service's own protocol. */
export async function serve(request, response, { account, faults, journal, key }) {
  let asked = { kind: "unknown", container: null };
  let rule = null;
  const note = ({ status, charge }) => journal.record({ ...pick(asked), status, charge, fault: rule !== null });
  try {
    authorize(key, request.method, request.segments, request.headers);
    asked = operation(request, account);
    rule = faults.strike(asked);
    if (rule?.when === "before" && (await struck(rule, response, note))) return;
    const outcome = attempted(asked.run);
    if (rule?.when === "after" && (await struck(rule, response, note))) return;
    if (outcome.error) throw outcome.error;
    note(outcome);
    send(request, response, outcome);
  } catch (error) {
    const failed = described(error);
    note(failed);
    send(request, response, failed);
  }
}

const pick = ({ kind, container }) => ({ kind, container });

function attempted(run) {
  try {
    return run();
  } catch (error) {
    return { error };
  }
}

/** Do what a rule says; gives whether the request has its answer by it. */
async function struck(rule, response, note) {
  if (rule.delayMs > 0) await pause(rule.delayMs);
  if (rule.cut) {
    note({ status: 0, charge: 0 });
    response.socket?.destroy();
    return true;
  }
  if (rule.status !== null) throw answer(rule);
  return false;
}

function described(error) {
  if (error instanceof CosmosError) {
    const { status, substatus, headers, body } = error;
    return { status, body, headers: { "x-ms-substatus": String(substatus), ...headers }, charge: 1 };
  }
  console.error(error);
  return { status: 500, body: { code: "InternalServerError", message: String(error.stack) }, headers: {}, charge: 0 };
}

function send(request, response, { status, body, headers, charge }) {
  const text = body === undefined || typeof body === "string" ? (body ?? "") : JSON.stringify(body);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": status === 304 || status === 204 ? 0 : Buffer.byteLength(text),
    "x-ms-activity-id": request.headers["x-ms-activity-id"] ?? randomUUID(),
    "x-ms-request-charge": String(charge),
    "x-ms-gatewayversion": "version=stand-in",
    ...headers,
  });
  response.end(status === 304 || status === 204 ? undefined : text);
}
