// Paths of properties as indexing policies and partition keys write them: /a/b, /a/[]/?, /"x y"/*.

const PART = /\/(?:"((?:[^"\\]|\\.)*)"|([^/]*))/y;

/** The parts of a path, unquoted. */
export function parts(path) {
  const found = [];
  PART.lastIndex = 0;
  for (let match = PART.exec(path); match !== null; match = PART.exec(path)) {
    found.push(match[1] ?? match[2]);
    if (PART.lastIndex === path.length) return found;
  }
  return null;
}

/** The value at a path of property names; `undefined` where there is none. */
export function valueAt(document, names) {
  let value = document;
  for (const name of names) {
    if (value === null || typeof value !== "object" || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}
