import { defaultOptionBytes } from "../../src/target/option-bytes.ts";
import { installVariant } from "../../src/install/variants.ts";
import { h7Manifest, twoPartJob } from "../support/sample-job.ts";

/** The package that every run installs: 3000 bytes of firmware in two parts, and option bytes. */
export const cleanJob = twoPartJob();

/** The variant that the virtual H753 is. */
export const variant = installVariant(h7Manifest);
/** Option bytes of the part as `sfi abort` leaves it. */
export const factoryOptionBytes = defaultOptionBytes(h7Manifest, variant);
