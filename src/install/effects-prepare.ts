import { equalBytes } from "../bytes/bytes.ts";
import { isStationError, StationError } from "../errors/station-error.ts";
import { obtainLicense } from "../license/broker.ts";
import type { FieldValues } from "../target/manifest-types.ts";
import { applyFields, presentFields } from "../target/option-bytes.ts";
import { readOptionBytes, writeOptionBytes } from "../target/option-controller.ts";
import { readCertificate, readRssVersion, rssOf } from "../target/rss.ts";
import type { EventOf } from "./machine.ts";
import { loadRsse } from "./rsse.ts";
import { type InstallSession, need } from "./session.ts";

/**
 * certified: "activating security" and "setting write mode to SFI" (AN5054 figure 63); on parts with TrustZone first
 * TrustZone and the boot from RSS, then RDP level 0.5 (AN5054 3.3, log in community.st.com thread 762267).
 */
export async function activateSecurity(session: InstallSession): Promise<EventOf<"certified">> {
  const { activation, writeMode, oneWrite } = rssOf(need(session.found, "the chip").identity.manifest);
  const groups = oneWrite ? [{ ...activation, ...writeMode }] : [activation, writeMode];
  for (const fields of groups) {
    if (Object.keys(fields).length > 0) await changeOptionBytes(session, "certified", fields);
  }
  return "optionBytesSet";
}

/**
 * Sets option-byte fields with the intent journalled before and the outcome after.
 * Fields that the variant does not have are left out, as the vendor's tool does.
 */
export async function changeOptionBytes(
  session: InstallSession,
  state: string,
  fields: FieldValues,
): Promise<void> {
  const { debug, identity } = need(session.found, "the chip");
  const { manifest, variant } = identity;
  const memory = debug.memory();
  const now = await readOptionBytes(memory, manifest, variant);
  const wanted = applyFields(manifest, variant, now, presentFields(manifest, variant, fields));
  await session.ports.recorder.record("step_begin", { state, intent: "option-bytes", fields });
  session.optionBytesChanged = true;
  const { changed } = await writeOptionBytes(debug, session.ports.clock, manifest, variant, wanted);
  await session.ports.recorder.record("step_end", { state, changed });
}

/** armed: RSS must answer a call and give the same certificate before a license is asked for. */
export async function askRss(session: InstallSession): Promise<EventOf<"armed">> {
  const { debug, identity } = need(session.found, "the chip");
  const { clock, recorder } = session.ports;
  try {
    await loadRsse(session);
    const version = await readRssVersion(debug, clock, identity.manifest);
    const certificate = await readCertificate(debug, clock, identity.manifest);
    if (!equalBytes(certificate, need(session.certificate, "the certificate"))) {
      throw StationError.of("RSS_SILENT", { detail: "it gave another certificate than a moment ago" });
    }
    await recorder.record("step_end", {
      state: "armed",
      rssVersion: `${version.major}.${version.minor}.${version.patch}`,
    });
    return "rssAnswers";
  } catch (error) {
    if (!isStationError(error, "RSS_SILENT")) throw error;
    session.noteError(error, "armed");
    return "rssSilent";
  }
}

/** ready: the license, from the store or from its source. Stored durably before this returns. */
export async function obtainChipLicense(session: InstallSession): Promise<EventOf<"ready">> {
  const { licenseSource, licenseStore, recorder } = session.ports;
  const request = {
    certificate: need(session.certificate, "the certificate"),
    packageDigest: session.job.package.digest,
  };
  try {
    const { license, origin, spent } = await obtainLicense({
      request,
      source: licenseSource,
      store: licenseStore,
      real: need(session.probe, "the probe").identity.real,
      onEvent: ({ kind, ...event }) => {
        if (kind === "stored" && "counted" in event && event.counted) session.licenseSpent = true;
        const licenseKey = event.key;
        session.licenseKey = licenseKey;
        return recorder.record("license", { phase: kind, licenseKey, spent: session.licenseSpent, ...event });
      },
    });
    session.license = license;
    await recorder.record("step_end", { state: "ready", origin, spent });
    return "licensed";
  } catch (error) {
    if (!isStationError(error) || error.exit !== 6) throw error;
    session.licenseSpent ||= error.licenseSpent;
    session.noteError(error, "ready");
    return "licenseRefused";
  }
}
