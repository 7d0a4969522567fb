import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, fileOf, frameOf, inSeries, inStudy, manifest, named, same, url, valueOf } from "./service.mjs";

const EXPLICIT = "1.2.840.10008.1.2.1";
const OCTETS = { mediaType: "application/octet-stream" };

const client = connect();
const [first] = manifest;
const multiFrame = manifest.find(({ frames }) => frames > 1);

const holdsFiles = (found, entries) => {
  assert.equal(found.length, entries.length);
  for (const entry of entries) {
    assert.ok(found.some((instance) => same(instance, fileOf(entry))));
  }
};

test("a study", async () => {
  holdsFiles(await client.retrieveStudy(named(first)), inStudy(first));
});

test("a series", async () => {
  holdsFiles(await client.retrieveSeries(named(first)), inSeries(first));
});

test("an instance", async () => {
  assert.ok(same(await client.retrieveInstance(named(first)), fileOf(first)));
});

test("metadata of each level", async () => {
  const instances = (datasets) => datasets.map((dataset) => valueOf(dataset, "00080018")).sort();
  const expected = (entries) => entries.map(({ instance }) => instance).sort();
  assert.deepEqual(instances(await client.retrieveStudyMetadata(named(first))), expected(inStudy(first)));
  assert.deepEqual(instances(await client.retrieveSeriesMetadata(named(first))), expected(inSeries(first)));
  assert.deepEqual(instances(await client.retrieveInstanceMetadata(named(first))), [first.instance]);
});

test("what is not there", async () => {
  await assert.rejects(client.retrieveStudyMetadata({ studyInstanceUID: "2.25.1" }), { status: 404 });
});

for (const mediaTypes of [
  undefined,
  [OCTETS],
  [{ ...OCTETS, transferSyntaxUID: "*" }],
  [{ ...OCTETS, transferSyntaxUID: EXPLICIT }],
  [{ mediaType: "image/jpeg", transferSyntaxUID: "1.2.840.10008.1.2.4.50" }, OCTETS],
]) {
  test(`frames as ${JSON.stringify(mediaTypes)}`, async () => {
    const frames = await client.retrieveInstanceFrames({ ...named(multiFrame), frameNumbers: [3, 1], mediaTypes });
    assert.equal(frames.length, 2);
    assert.ok(same(frames[0], frameOf(multiFrame, 3)));
    assert.ok(same(frames[1], frameOf(multiFrame, 1)));
    for (const frame of frames) {
      assert.equal(frame.contentType, "application/octet-stream");
      assert.equal(frame.transferSyntaxUID, EXPLICIT);
    }
  });
}

test("bulk data, whole and in part, in several parts and in one", async () => {
  const [metadata] = await client.retrieveInstanceMetadata(named(multiFrame));
  const { BulkDataURI } = metadata["7FE00010"];
  assert.ok(BulkDataURI.startsWith(url));
  const pixels = fileOf(multiFrame).subarray(multiFrame.pixelOffset);
  for (const service of [client, connect({ singlepart: "bulkdata,video" })]) {
    const [found] = await service.retrieveBulkData({ BulkDataURI });
    assert.ok(same(found, pixels));
  }
  const [part] = await client.retrieveBulkData({ BulkDataURI, byteRange: [100, 299] });
  assert.ok(same(part, pixels.subarray(100, 300)));
  const headers = { Accept: "application/octet-stream", Range: "bytes=100-299" };
  const [single] = await connect({ singlepart: "bulkdata" }).retrieveBulkData({ BulkDataURI, headers });
  assert.ok(same(single, pixels.subarray(100, 300)));
  assert.equal(single.contentType, "application/octet-stream");
});
