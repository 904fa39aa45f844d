import { installVariant } from "../../src/install/variants.ts";
import { defaultOptionBytes } from "../../src/target/option-bytes.ts";
import { h7Manifest, twoPartJob } from "../support/sample-job.ts";

/** The package that every run installs: 3000 bytes of firmware in two parts, and option bytes. */
export const cleanJob = twoPartJob();

/** Its firmware, from the first byte of flash on. */
export const firmware: Uint8Array = cleanJob.segments[0]?.data ?? new Uint8Array(0);

/** Option bytes of the part as `sfi abort` leaves it. */
export const factoryOptionBytes = defaultOptionBytes(h7Manifest, installVariant(h7Manifest));
