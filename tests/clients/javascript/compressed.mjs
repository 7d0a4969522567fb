// The manifest holds compressed images, and of each the media type of its frames and their SHA-256 digests.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { connect, fileOf, manifest, named, same } from "./service.mjs";

const client = connect();
const OCTETS = { mediaType: "application/octet-stream" };
const digest = (bytes) => createHash("sha256").update(Buffer.from(bytes)).digest("hex");

for (const entry of manifest) {
  const asked = { mediaType: entry.mediaType, transferSyntaxUID: entry.transferSyntax };
  for (const mediaTypes of [[asked], [asked, OCTETS], [OCTETS, asked]]) {
    test(`frames of ${entry.file} as ${JSON.stringify(mediaTypes)}`, async () => {
      const frameNumbers = entry.digests.map((_, index) => index + 1);
      const frames = await client.retrieveInstanceFrames({ ...named(entry), frameNumbers, mediaTypes });
      assert.deepEqual(frames.map(digest), entry.digests);
      for (const frame of frames) {
        assert.equal(frame.contentType, entry.labelled);
        assert.equal(frame.transferSyntaxUID, entry.transferSyntax);
      }
    });
  }

  test(`${entry.file} as it was stored`, async () => {
    assert.ok(same(await client.retrieveInstance(named(entry)), fileOf(entry)));
  });
}
