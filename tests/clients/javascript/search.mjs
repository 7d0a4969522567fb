import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, inSeries, inStudy, manifest, url, valueOf } from "./service.mjs";

const STUDY = "0020000D";
const SERIES = "0020000E";
const INSTANCE = "00080018";

const client = connect();
const [first] = manifest;
const distinct = (entries, level) => [...new Set(entries.map((entry) => entry[level]))].sort();
const found = (datasets, tag) => datasets.map((dataset) => valueOf(dataset, tag)).sort();

test("studies", async () => {
  const all = await client.searchForStudies();
  assert.deepEqual(found(all, STUDY), distinct(manifest, "study"));
  const queryParams = { PatientName: "Müller*", StudyDate: "20240101-20240131", limit: 10, includefield: "00080090" };
  const [study] = await client.searchForStudies({ queryParams });
  assert.equal(valueOf(study, STUDY), first.study);
  assert.equal(valueOf(study, "00100010").Alphabetic, "Müller^Anna");
  assert.equal(valueOf(study, "00201208"), inStudy(first).length);
  assert.equal(valueOf(study, "00081190"), `${url}/studies/${first.study}`);
});

test("series", async () => {
  const all = await client.searchForSeries();
  assert.deepEqual(found(all, SERIES), distinct(manifest, "series"));
  const ofStudy = await client.searchForSeries({ studyInstanceUID: first.study });
  assert.deepEqual(found(ofStudy, SERIES), distinct(inStudy(first), "series"));
  const queryParams = { Modality: "CT", includefield: "SeriesDescription" };
  const [series] = await client.searchForSeries({ studyInstanceUID: first.study, queryParams });
  assert.equal(valueOf(series, SERIES), first.series);
  assert.equal(valueOf(series, "0008103E"), "Axial");
});

test("instances", async () => {
  const all = await client.searchForInstances();
  assert.deepEqual(found(all, INSTANCE), distinct(manifest, "instance"));
  const studyInstanceUID = first.study;
  const ofStudy = await client.searchForInstances({ studyInstanceUID });
  assert.deepEqual(found(ofStudy, INSTANCE), distinct(inStudy(first), "instance"));
  const ofSeries = await client.searchForInstances({ studyInstanceUID, seriesInstanceUID: first.series });
  assert.deepEqual(found(ofSeries, INSTANCE), distinct(inSeries(first), "instance"));
  const pages = await Promise.all(
    [0, 2].map((offset) => client.searchForInstances({ studyInstanceUID, queryParams: { limit: 2, offset } })),
  );
  assert.deepEqual(found(pages.flat(), INSTANCE), distinct(inStudy(first), "instance"));
});

test("nothing found is an empty list", async () => {
  assert.deepEqual(await client.searchForStudies({ queryParams: { PatientID: "nobody" } }), []);
  assert.deepEqual(await client.searchForInstances({ queryParams: { offset: 1000 } }), []);
});

test("what can't be searched by is refused", async () => {
  await assert.rejects(client.searchForStudies({ queryParams: { Rows: 16 } }), { status: 400 });
});
