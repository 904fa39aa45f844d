import { hexNumber } from "../bytes/hex.ts";
import { connectDebug } from "../dap/connect.ts";
import { isStationError, StationError } from "../errors/station-error.ts";
import { partsOf } from "../package/sfi-verify.ts";
import type { Probe } from "../ports/index.ts";
import { coreAps, identifyTarget } from "../target/identify.ts";
import { readOptionBytes } from "../target/option-controller.ts";
import { readCertificate } from "../target/rss.ts";
import type { EventOf } from "./machine.ts";
import { planInstall } from "./plan.ts";
import { certificateFindings, chipFindings, licenseFindings, packageFindings } from "./preflight.ts";
import { rsseWarnings } from "./preflight-family.ts";
import { loadRsse } from "./rsse.ts";
import { type InstallSession, need } from "./session.ts";

/** Below this the part's flash cannot be trusted; OpenOCD warns at the same level. */
const minimumMillivolts = 1500;

/** idle: say what the job is made of. The package is parsed already; device rules follow when the device is known. */
export async function readPackage(session: InstallSession): Promise<EventOf<"idle">> {
  const { package: pkg, expectation } = session.job;
  const parts = partsOf(pkg);
  await session.ports.recorder.record("step_end", {
    state: "idle",
    package: { name: pkg.name, digest: pkg.digest, sizeBytes: pkg.sizeBytes, areas: pkg.areas.length },
    parts: parts.map(({ number, sizeBytes }) => ({ number, sizeBytes })),
    expectation:
      expectation === undefined ? null : { source: expectation.source, digest: expectation.digest },
  });
  return "packageLoaded";
}

/** planned: open the probe, measure the voltage, connect, identify, and make the plan for what was found. */
export async function planJob(session: InstallSession): Promise<EventOf<"planned">> {
  const { job, ports } = session;
  const probe = await ports.openProbe();
  session.probe = probe;
  await checkVoltage(probe);
  const debug = await connect(session, probe);
  const identity = await identifyTarget(debug, ports.manifests);
  if (job.deviceId !== undefined && identity.deviceId !== job.deviceId) {
    throw StationError.of("DEVICE_WRONG", {
      actual: hexNumber(identity.deviceId, 3),
      expected: hexNumber(job.deviceId, 3),
    });
  }
  const parts = partsOf(job.package);
  // The plan is made from the device's data as a whole, not from what fits this part, so that `sfi plan` makes the same.
  const device = ports.manifests.find((each) => each.device.id === identity.deviceId) ?? identity.manifest;
  const plan = planInstall(job, device, parts);
  session.found = { debug, identity, parts, plan };
  await ports.recorder.record("step_end", {
    state: "planned",
    probe: probe.identity,
    swdKilohertz: debug.actualKilohertz,
    target: {
      deviceId: hexNumber(identity.deviceId, 3),
      variant: identity.variant.name,
      revision: identity.revisionName,
      uid: identity.uid,
      flashSizeBytes: identity.flashSizeBytes,
      bootloaderVersion: identity.bootloaderVersion,
    },
    plan: { digest: plan.digest, pointOfNoReturn: plan.pointOfNoReturn, assumedFacts: plan.assumedFacts },
  });
  const warnings = [...plan.warnings, ...rsseWarnings(job.rsse, identity.manifest)];
  for (const message of warnings) await ports.recorder.record("warning", { message });
  return "connected";
}

async function checkVoltage(probe: Probe): Promise<void> {
  const millivolts = await probe.readTargetMillivolts();
  if (millivolts !== undefined && millivolts < minimumMillivolts) {
    throw StationError.of("TARGET_UNPOWERED", { millivolts, minimumMillivolts });
  }
}

/** Connects; when resuming, RSS may still be at work with the port closed, so silence is waited out. */
async function connect(session: InstallSession, probe: Probe) {
  const { job, ports } = session;
  const options = {
    mode: job.connectMode,
    clockKilohertz: job.clockKilohertz,
    ap: coreAps(ports.manifests),
  } as const;
  const rssMs = Math.max(...ports.manifests.map(({ sfi }) => sfi.deadlines.rssMs));
  const deadlineMs = ports.clock.monotonicMs() + rssMs;
  for (;;) {
    try {
      return await connectDebug(probe, ports.clock, options);
    } catch (error) {
      const rssMayBeAtWork = job.resume?.triggeredPart !== undefined;
      if (!rssMayBeAtWork || !isStationError(error, "TARGET_NO_ANSWER", "TARGET_LINK_LOST")) throw error;
      if (ports.clock.monotonicMs() >= deadlineMs) throw error;
      await ports.clock.sleep(100, ports.signal);
    }
  }
}

/** inspected: everything that can fail cheaply, and the certificate. Nothing that outlives a reset is written. */
export async function inspectChip(session: InstallSession): Promise<EventOf<"inspected">> {
  const { job, ports } = session;
  const { debug, identity, plan } = need(session.found, "the chip");
  const { manifest } = identity;
  await checkConsent(session);

  const memory = debug.memory();
  const optionBytes = await readOptionBytes(memory, manifest, identity.variant);
  session.originalOptionBytes = originalOptionBytes(session, optionBytes);
  await ports.recorder.record("step_end", {
    state: "inspected",
    chip: { uid: identity.uid, optionWords: Object.fromEntries(optionBytes.words) },
    plan: plan.digest,
  });
  if (job.resume?.uid !== undefined && job.resume.uid !== identity.uid) {
    throw StationError.of("RESUME_OTHER_CHIP", { expected: job.resume.uid, actual: identity.uid });
  }
  if (job.resume?.triggeredPart !== undefined) {
    session.partNumber = job.resume.triggeredPart;
    return "resumed";
  }

  const findings = [...packageFindings(session), ...(await chipFindings(session, optionBytes))];
  if (findings.length === 0) {
    await loadRsse(session);
    const certificate = await readCertificate(debug, ports.clock, manifest);
    session.certificate = certificate;
    findings.push(...certificateFindings(certificate, session));
    findings.push(...(await licenseFindings(certificate, session)));
  }
  for (const finding of findings) {
    await ports.recorder.record("warning", { finding: finding.toRecord(), message: finding.message });
  }
  if (findings.length === 0) return "fit";
  session.noteError(findings.length === 1 ? need(findings[0], "finding") : summary(findings), "inspected");
  return "unfit";
}

function originalOptionBytes(session: InstallSession, now: { words: ReadonlyMap<string, number> }) {
  const earlier = session.job.resume?.originalOptionWords;
  return earlier === undefined ? now : { words: new Map(Object.entries(earlier)) };
}

function summary(findings: readonly StationError[]): StationError {
  return StationError.of("PREFLIGHT_FAILED", {
    count: findings.length,
    codes: findings.map(({ code }) => code).join(", "),
  });
}

/** A real part is touched only with consent: to assumed facts, and to the plan's irreversible steps. */
async function checkConsent(session: InstallSession): Promise<void> {
  const { job, ports } = session;
  const { plan } = need(session.found, "the chip");
  const { identity } = need(session.probe, "the probe");
  if (!identity.real) return;
  if (plan.assumedFacts.length > 0 && !job.allowAssumed) {
    throw StationError.of("FACT_ASSUMED", { facts: plan.assumedFacts.join(", "), probe: identity.selector });
  }
  if (job.approvedPlan !== plan.digest && !(await ports.confirm(plan))) {
    throw StationError.of("PLAN_NOT_APPROVED", { digest: plan.digest });
  }
}
