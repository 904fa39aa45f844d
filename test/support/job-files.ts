import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatOptionCsv } from "../../src/package/option-csv.ts";
import { h7Manifest, type SampleJob, sampleJob, sampleKey, sampleNonce } from "./sample-job.ts";

/** A job's files in a folder, and the words of an install of it. */
export function jobFiles(folder: string, job: SampleJob = sampleJob()) {
  const at = (name: string) => join(folder, name);
  const rows = h7Manifest.sfi.csvRows.map(({ name }) => name);
  writeFileSync(at("key.bin"), sampleKey, { mode: 0o600 });
  writeFileSync(at("nonce.bin"), sampleNonce, { mode: 0o600 });
  writeFileSync(at("options.csv"), formatOptionCsv(rows, job.optionWords));
  writeFileSync(at("firmware.bin"), job.segments[0]!.data);
  writeFileSync(at("job.sfi"), job.bytes);
  const secrets = ["--key", at("key.bin"), "--nonce", at("nonce.bin")];
  const folders = ["--license-dir", at("licenses"), "--log-dir", at("runs")];
  return {
    at,
    secrets,
    folders,
    install: [
      ...["install", "--package", at("job.sfi"), "--development-license", ...secrets],
      ...["--expect", at("options.csv"), ...folders],
    ],
  };
}
