import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { missingPreload } from "../../../drivers/virtual/usb/preload-library.ts";
import { readJournal } from "../../../src/install/journal.ts";
import { jobFiles } from "../../support/job-files.ts";
import { twoPartJob } from "../../support/sample-job.ts";
import { sfi, sfiProgram, temporaryFolder } from "../../support/sfi.ts";

const missing = await missingPreload();

/** What may differ between two runs of one job: times, names, and how the probe is attached. */
const identifiers = new Set([
  "time",
  "run",
  "prev",
  "hash",
  "durationMs",
  "probeSelector",
  "probe",
  "inputs",
]);
const figures = new Set(["journal", "report", "log", "usbTransfers", "modelledMs"]);

function comparable(folder: string) {
  const name = readdirSync(folder).find((each) => each.endsWith(".ndjson"))!;
  const journal = readJournal(readFileSync(`${folder}/${name}`, "utf8"), name);
  return journal.events.map((event) =>
    Object.fromEntries(Object.entries(event).filter(([key]) => !identifiers.has(key) && !figures.has(key))),
  );
}

describe.skipIf(missing !== undefined)(
  `an install over libusb and the emulated bus${missing ? ` (missing: ${missing})` : ""}`,
  () => {
    it("ends as on the bench in memory, with the same journal but for times and identifiers", async () => {
      const folder = temporaryFolder();
      const { at, install } = jobFiles(folder, twoPartJob());
      const words = install.filter((word, i) => word !== "--log-dir" && install[i - 1] !== "--log-dir");
      const inMemory = await sfi([...words, "--probe", "virtual:h753", "--log-dir", at("memory")]);
      expect(inMemory.code, inMemory.stderr).toBe(0);
      // A second folder of licenses: the second run must ask for one as the first did.
      const again = words.map((word) => (word === at("licenses") ? at("licenses2") : word));
      const onBus = await sfi([
        ...["virtual", "run", "--chip", "h753", "--", process.execPath, sfiProgram],
        ...[...again, "--log-dir", at("bus")],
      ]);
      expect(onBus.code, onBus.stderr).toBe(0);
      expect(comparable(at("bus")).map(withoutLicenseDigest)).toEqual(
        comparable(at("memory")).map(withoutLicenseDigest),
      );
    });
  },
);

/** Each development license has a fresh ephemeral key, so its digest differs. */
function withoutLicenseDigest(event: Record<string, unknown>) {
  if (event["event"] !== "license") return event;
  const { digest: _, ...rest } = event;
  return rest;
}
