import { installVariant } from "../../src/install/variants.ts";
import { defaultOptionBytes, registersOf } from "../../src/target/option-bytes.ts";
import { h7Manifest, twoPartJob } from "../support/sample-job.ts";

/** The package that every run installs: 3000 bytes of firmware in two parts, and option bytes. */
export const cleanJob = twoPartJob();

/** Its firmware, from the first byte of flash on. */
export const firmware: Uint8Array = cleanJob.segments[0]?.data ?? new Uint8Array(0);

const variant = installVariant(h7Manifest);

/** Option bytes of the part as `sfi abort` leaves it. */
export const factoryOptionBytes = defaultOptionBytes(h7Manifest, variant);

/** The bits of FLASH_OPTSR that belong to a field. */
export const optsrFields = registersOf(h7Manifest, variant).find(({ name }) => name === "FOPTSR")?.mask ?? 0;
