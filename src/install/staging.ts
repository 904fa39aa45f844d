import { concatBytes, fromWords } from "../bytes/bytes.ts";
import { StationError } from "../errors/station-error.ts";
import type { SfiPart } from "../package/sfi-verify.ts";
import { rssOf } from "../target/rss.ts";
import { type InstallSession, need } from "./session.ts";

/** Bytes and where in RAM they must stand. */
export interface StagedBlock {
  readonly address: number;
  readonly data: Uint8Array;
}

/** A resumed run must find the license it was given: asking again could spend a second one. */
export async function storedLicense(session: InstallSession): Promise<Uint8Array> {
  const key = need(session.job.resume?.licenseKey, "the license key of the resumed run");
  const license = await session.ports.licenseStore.load(key);
  if (license === undefined) throw StationError.of("LICENSE_NOT_STORED", { key: key.slice(0, 16) });
  await session.ports.recorder.record("license", { phase: "reused", licenseKey: key, spent: false });
  return license;
}

/** The part that is being installed. */
export function currentPart(session: InstallSession): SfiPart {
  const { parts } = need(session.found, "the chip");
  return need(parts[session.partNumber - 1], `part ${session.partNumber}`);
}

/** Everything that must stand in RAM for one part, in the order of the vendor's log: license, header, areas, wrapper. */
export function stagedBlocks(session: InstallSession, part: SfiPart): StagedBlock[] {
  const { buffers, wrapper } = rssOf(need(session.found, "the chip").identity.manifest);
  const words = new Array<number>(buffers.wrapper.sizeBytes / 4).fill(0);
  words[wrapper.areaCount / 4] = part.areas.length;
  words[wrapper.firstArea / 4] = buffers.areas.address;
  words[wrapper.sizeBytes / 4] = part.sizeBytes;
  return [
    { address: buffers.license.address, data: need(session.license, "the license") },
    { address: buffers.header.address, data: session.job.package.header },
    { address: buffers.areas.address, data: concatBytes(...part.areas.map(({ bytes }) => bytes)) },
    { address: buffers.wrapper.address, data: fromWords(words) },
  ];
}
