// Effective partition keys: where a partition key lies in the hashed key space, version 2 of the hash.
// Each value is hashed by MurmurHash3 (128 bit, x64) over its type byte and value; hierarchical keys join the hashes.
// https://learn.microsoft.com/azure/cosmos-db/hierarchical-partition-keys, https://github.com/aappleby/smhasher

const MASK = (1n << 64n) - 1n;
const C1 = 0x87c37b91114253d5n;
const C2 = 0x4cf5ad432745937fn;

const TYPES = { undefined: 0x00, null: 0x01, false: 0x02, true: 0x03, number: 0x05, string: 0x08 };

/** The lowest and the end of the key space, as partition key ranges write them. */
export const LOWEST = "";
export const HIGHEST = "FF";

/** The effective key of partition key values; a missing value is `undefined`. Fewer values than paths give a prefix. */
export function effectiveKey(values) {
  return values.map((value) => hash(encoded(value))).join("");
}

/** Every key that begins with the given values lies from `min` up to `max`, which is not in it. */
export function prefixRange(values) {
  const min = effectiveKey(values);
  return { min, max: `${min}FF` };
}

function encoded(value) {
  if (typeof value === "number") {
    const bytes = Buffer.alloc(9);
    bytes.writeUInt8(TYPES.number);
    bytes.writeDoubleLE(value, 1);
    return bytes;
  }
  if (typeof value === "string") {
    return Buffer.concat([Buffer.of(TYPES.string), Buffer.from(value, "utf8"), Buffer.of(0xff)]);
  }
  return Buffer.of(TYPES[String(value)]);
}

function hash(bytes) {
  const [low, high] = murmur(bytes);
  const hex = ((high << 64n) | low).toString(16).padStart(32, "0");
  const first = parseInt(hex.slice(0, 2), 16) & 0x3f;
  return (first.toString(16).padStart(2, "0") + hex.slice(2)).toUpperCase();
}

const rotate = (value, by) => ((value << by) | (value >> (64n - by))) & MASK;

function mix(value) {
  value = ((value ^ (value >> 33n)) * 0xff51afd7ed558ccdn) & MASK;
  value = ((value ^ (value >> 33n)) * 0xc4ceb9fe1a85ec53n) & MASK;
  return value ^ (value >> 33n);
}

const scramble1 = (k) => (rotate((k * C1) & MASK, 31n) * C2) & MASK;
const scramble2 = (k) => (rotate((k * C2) & MASK, 33n) * C1) & MASK;

function murmur(bytes) {
  const whole = bytes.length - (bytes.length % 16);
  let h1 = 0n;
  let h2 = 0n;
  for (let at = 0; at < whole; at += 16) {
    h1 = (rotate(h1 ^ scramble1(bytes.readBigUInt64LE(at)), 27n) + h2) & MASK;
    h1 = (h1 * 5n + 0x52dce729n) & MASK;
    h2 = (rotate(h2 ^ scramble2(bytes.readBigUInt64LE(at + 8)), 31n) + h1) & MASK;
    h2 = (h2 * 5n + 0x38495ab5n) & MASK;
  }
  const tail = Buffer.alloc(16);
  bytes.copy(tail, 0, whole);
  const length = BigInt(bytes.length);
  h1 ^= scramble1(tail.readBigUInt64LE(0)) ^ length;
  h2 ^= scramble2(tail.readBigUInt64LE(8)) ^ length;
  h1 = (h1 + h2) & MASK;
  h2 = (h2 + h1) & MASK;
  h1 = mix(h1);
  h2 = mix(h2);
  h1 = (h1 + h2) & MASK;
  h2 = (h2 + h1) & MASK;
  return [h1, h2];
}
