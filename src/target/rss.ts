import { hex32 } from "../bytes/hex.ts";
import { callFunction } from "../dap/call.ts";
import type { DebugSession } from "../dap/session.ts";
import { isStationError, StationError } from "../errors/station-error.ts";
import type { Clock } from "../ports/index.ts";
import type { DeviceManifest, RssContract, RssService } from "./manifest-types.ts";

/**
 * How an install talks to the part's RSS.
 * @throws SFI_NOT_OVER_SWD for a part that is installed only through its bootloader
 */
export function rssOf({ sfi, device }: DeviceManifest): RssContract {
  if (sfi.rss === undefined) throw StationError.of("SFI_NOT_OVER_SWD", { device: device.name });
  return sfi.rss;
}

/** Version of the root security services. */
export interface RssVersion {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/**
 * Calls a service of the root security services through its API table. The core is halted for it and stays halted;
 * the host's scratch RAM is overwritten.
 * @param args words for R0 to R3
 * @returns R0
 * @throws RSS_SILENT when the table has no plausible entry for the service or the call does not come back
 */
export async function callRss(
  session: DebugSession,
  clock: Clock,
  manifest: DeviceManifest,
  service: RssService,
  args: readonly number[] = [],
): Promise<number> {
  const rss = rssOf(manifest);
  const { deadlines } = manifest.sfi;
  const memory = session.memory(manifest.identity.coreAp);
  try {
    const entry = await memory.readWord(rss.apiTable + rss.services[service]);
    if (!isPlausible(manifest, entry)) throw silent(`its table holds ${hex32(entry)} for ${service}`);
    return await callFunction(memory, clock, {
      entry,
      arguments: args,
      stackTop: rss.hostScratch.stackTop,
      returnAddress: rss.hostScratch.returnStub,
      timeoutMs: deadlines.serviceMs,
    });
  } catch (thrown) {
    if (!isStationError(thrown, "TARGET_FAULT", "CALL_NOT_RETURNED", "CORE_NOT_HALTED", "CORE_RUNNING"))
      throw thrown;
    throw silent(`${service}: ${thrown.message}`, thrown);
  }
}

/**
 * The version of RSS: a sign of life that costs nothing.
 * @throws RSS_SILENT
 */
export async function readRssVersion(
  session: DebugSession,
  clock: Clock,
  manifest: DeviceManifest,
): Promise<RssVersion> {
  // STM32CubeH7 RSS.h: 0x00JJNNPP
  const word = await callRss(session, clock, manifest, "getVersion");
  if (word === 0 || word > 0x00ff_ffff) throw silent(`getVersion answers ${hex32(word)}`);
  return { major: word >>> 16, minor: (word >>> 8) & 0xff, patch: word & 0xff };
}

/**
 * The chip certificate, as RSS hands it out; also with security off (STM32CubeH7 RSS.h).
 * @returns its bytes (136 on every known device), not checked any further
 * @throws RSS_SILENT
 */
export async function readCertificate(
  session: DebugSession,
  clock: Clock,
  manifest: DeviceManifest,
): Promise<Uint8Array> {
  const { hostScratch, certificateBytes, status } = rssOf(manifest);
  const sizeBytes = await callRss(session, clock, manifest, "getCertificateSize");
  if (sizeBytes !== certificateBytes) throw silent(`getCertificateSize answers ${hex32(sizeBytes)}`);
  const memory = session.memory(manifest.identity.coreAp);
  // So that what is read afterwards is what this call wrote.
  await memory.write(hostScratch.certificate, new Uint8Array(certificateBytes));
  const answer = await callRss(session, clock, manifest, "getCertificate", [hostScratch.certificate]);
  if (answer !== status.ok) throw silent(`getCertificate answers ${hex32(answer)}`);
  const certificate = await memory.read(hostScratch.certificate, certificateBytes);
  if (certificate.every((byte) => byte === 0)) throw silent("getCertificate wrote nothing");
  return certificate;
}

/** Table entries are addresses of Thumb functions in the code region. */
function isPlausible(manifest: DeviceManifest, entry: number): boolean {
  const code = manifest.memory[rssOf(manifest).codeRegion];
  if (code === undefined || (entry & 1) === 0) return false;
  return entry >= code.address && entry < code.address + code.sizeBytes;
}

function silent(detail: string, cause?: unknown): StationError {
  return StationError.of("RSS_SILENT", { detail }, { cause });
}
