// A stand-in for Azure Cosmos DB (API for NoSQL), for tests. It keeps everything in memory and listens on loopback.
//
//   node server.mjs --port 0 --key BASE64
//
// It writes one line, {"port": N}, when it is ready, and ends when its standard input does.

import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { Account } from "./account.mjs";
import { control } from "./control.mjs";
import { Faults } from "./faults.mjs";
import { received, serve } from "./http.mjs";
import { Journal } from "./journal.mjs";

const FIRST_SETTINGS = { physicalPartitions: 2, refuseScans: true };

const { values: options } = parseArgs({
  options: { port: { type: "string", default: "0" }, key: { type: "string" } },
});

const state = {
  key: options.key,
  settings: { ...FIRST_SETTINGS },
  faults: new Faults(),
  journal: new Journal(),
  account: null,
  reset() {
    Object.assign(this.settings, FIRST_SETTINGS);
    this.faults.clear();
    this.journal.clear();
    this.account.clear();
  },
};
state.account = new Account(state.settings);

const server = createServer({ maxHeaderSize: 256 * 1024, keepAliveTimeout: 60_000 }, async (message, response) => {
  try {
    const request = await received(message);
    if (request.segments[0] === "_control") control(request, response, state);
    else await serve(request, response, state);
  } catch (error) {
    response.writeHead(error.status ?? 400, { connection: "close" }).end(String(error.message));
  }
});

server.listen(Number(options.port), "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
process.stdin.on("end", () => process.exit(0)).resume();
