// What every test works with: the client on a data partition, and the files that are or will be stored there.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import dicomweb from "dicomweb-client";
import xhr2 from "xhr2";

globalThis.XMLHttpRequest = xhr2;

const folder = process.env.ARCHIVE;

/** Each with study, series, instance, frames, pixelOffset and frameLength (both in bytes), modality. */
export const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));

export const url = process.env.SERVICE_URL;

export const connect = (options = {}) => new dicomweb.api.DICOMwebClient({ url, verbose: false, ...options });

export const fileOf = (entry) => readFileSync(join(folder, entry.file));

export const frameOf = (entry, number) => {
  const start = entry.pixelOffset + (number - 1) * entry.frameLength;
  return fileOf(entry).subarray(start, start + entry.frameLength);
};

export const named = ({ study, series, instance }) => ({
  studyInstanceUID: study,
  seriesInstanceUID: series,
  sopInstanceUID: instance,
});

export const same = (found, expected) => Buffer.compare(Buffer.from(found), Buffer.from(expected)) === 0;

export const valueOf = (dataset, tag) => dataset[tag]?.Value?.[0];

export const inStudy = (entry) => manifest.filter(({ study }) => study === entry.study);

export const inSeries = (entry) => manifest.filter(({ series }) => series === entry.series);
