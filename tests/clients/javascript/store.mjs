// The data partition is empty at first.
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, fileOf, inStudy, manifest, named, same, url } from "./service.mjs";

const client = connect();
const [first] = manifest;
const arrayBuffer = (bytes) => bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);

test("a study is stored by one request", async () => {
  const entries = inStudy(first);
  const answer = JSON.parse(
    await client.storeInstances({
      datasets: entries.map((entry) => arrayBuffer(fileOf(entry))),
      studyInstanceUID: first.study,
    }),
  );
  assert.equal(answer["00081190"].Value[0], `${url}/studies/${first.study}`);
  assert.deepEqual(
    answer["00081199"].Value.map((item) => item["00081155"].Value[0]),
    entries.map(({ instance }) => instance),
  );
  for (const entry of entries) {
    assert.ok(same(await client.retrieveInstance(named(entry)), fileOf(entry)));
  }
});

test("what is there already is refused", async () => {
  await assert.rejects(client.storeInstances({ datasets: [arrayBuffer(fileOf(first))] }), { status: 409 });
});

test("of several instances those that can be are stored", async () => {
  const other = manifest.find(({ study }) => study !== first.study);
  const answer = JSON.parse(
    await client.storeInstances({ datasets: [first, other].map((entry) => arrayBuffer(fileOf(entry))) }),
  );
  assert.equal(answer["00081198"].Value[0]["00081197"].Value[0], 0xb00e);
  assert.equal(answer["00081199"].Value[0]["00081155"].Value[0], other.instance);
});
