// The engine's parser, made to remember.
//
// The parser that @zeit/cosmosdb-query ships was generated without a cache and takes eight times as long for every
// pair of parentheses: seven pairs take two minutes. This loads it with each rule remembering its result at a place of
// the text, which is what the generator's option `cache` does.

import { readFileSync } from "node:fs";
import Module, { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const RULE = /function (peg\$parse)(\w+)\(\) \{/g;
const START = "function peg$parse(input, options) {";

const MEMORY = `
  var peg$memory = new Map();
  function peg$remember(rule, parse) {
    var key = rule * (input.length + 1) + peg$currPos, known = peg$memory.get(key);
    if (known === undefined) {
      known = { result: parse(), end: null };
      known.end = peg$currPos;
      peg$memory.set(key, known);
    }
    peg$currPos = known.end;
    return known.result;
  }`;

function install() {
  const path = require.resolve("@zeit/cosmosdb-query/lib/parser.js");
  let rules = 0;
  const source = readFileSync(path, "utf8")
    .replace(START, `${START}${MEMORY}`)
    .replace(RULE, (_, prefix, name) => {
      rules += 1;
      const rule = `peg$rule${name}`;
      return `function ${prefix}${name}() { return peg$remember(${rules}, ${rule}); } function ${rule}() {`;
    });
  if (rules === 0) throw new Error("The engine's parser is not the one that this was written for.");
  const parser = new Module(path);
  parser.filename = path;
  parser.paths = Module._nodeModulePaths(path);
  parser._compile(source, path);
  parser.loaded = true;
  require.cache[path] = parser;
}

install();

const engine = require("@zeit/cosmosdb-query");

/** A parsed query: its `ast`, which may be changed until its `code` is asked for. */
export const parse = engine.default;
export const SyntaxError = engine.SyntaxError;
