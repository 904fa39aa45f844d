import type { InstallSession } from "./session.ts";

/**
 * The license is one of the things a refusal by RSS can mean: it is marked, so that a chip that refuses again and again
 * cannot make the line spend one license after the other. Without a store that keeps such marks nothing happens.
 */
export async function suspectLicense(session: InstallSession, reason: string): Promise<void> {
  const { licenseStore, recorder } = session.ports;
  const { licenseKey } = session;
  if (licenseKey === undefined || licenseStore.suspect === undefined) return;
  await licenseStore.suspect(licenseKey, reason);
  await recorder.record("license", { phase: "suspect", licenseKey, spent: session.licenseSpent });
}
