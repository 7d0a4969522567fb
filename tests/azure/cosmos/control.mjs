// The control endpoint, by which tests steer the stand-in and ask what it saw. It is not part of the service.
//
// GET    /_control/counts    {kind: {calls, faults, units}}        DELETE forgets them
// GET    /_control/calls     the last calls, oldest first
// PUT    /_control/faults    the rules of faults.mjs, in place of those before
// PUT    /_control/settings  {physicalPartitions, refuseScans}, either
// POST   /_control/split     {database, container, range?, at?}: split a range, the one with most documents by default,
//                            at an effective partition key, by default between its documents
// POST   /_control/reset     no databases, no faults, no counts, first settings

import { badRequest, CosmosError } from "./errors.mjs";
import { middle } from "./ranges.mjs";

const COMMANDS = {
  "GET counts": ({ journal }) => journal.counts(),
  "DELETE counts": ({ journal }) => journal.clear(),
  "GET calls": ({ journal }) => journal.calls(),
  "PUT faults": ({ faults }, rules) => faults.set(rules),
  "PUT settings": ({ settings }, changes) => change(settings, changes),
  "POST split": ({ account }, asked) => split(account, asked),
  "POST reset": (state) => state.reset(),
};

/** Carry out a command and answer with what it gives. */
export function control(request, response, state) {
  let status = 200;
  let result;
  try {
    const command = COMMANDS[`${request.method} ${request.segments[1]}`];
    if (command === undefined) throw new CosmosError(404, "There is no such command.");
    result = command(state, request.text === "" ? undefined : JSON.parse(request.text));
  } catch (error) {
    status = error.status ?? 400;
    result = { message: error.message };
  }
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(result ?? null));
}

function change(settings, changes) {
  for (const [name, value] of Object.entries(changes)) {
    if (!Object.hasOwn(settings, name)) throw badRequest(`'${name}' is not a setting.`);
    settings[name] = value;
  }
}

function split(account, { database, container: name, range: id, at }) {
  const container = account.container(database, name);
  const range = id === undefined ? fullest(container) : container.ranges.byId(id);
  return container.ranges.split(range.id, at ?? between(container, range));
}

function fullest(container) {
  const size = (range) => container.within(range).length;
  return container.ranges.all().reduce((most, range) => (size(range) > size(most) ? range : most));
}

function between(container, range) {
  const keys = [...new Set(container.within(range).map(({ effective }) => effective))].sort();
  return keys.length > 1 ? keys[Math.floor(keys.length / 2)] : middle(range);
}
