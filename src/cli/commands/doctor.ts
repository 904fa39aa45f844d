import type { Argv } from "yargs";
import { firmwareFloor } from "../../../drivers/stlink/capabilities.ts";
import { stlinkProducts } from "../../../drivers/stlink/ids.ts";
import { hexNumber } from "../../bytes/hex.ts";
import { asStationError } from "../../errors/station-error.ts";
import { listProbes, openBench } from "../bench.ts";
import type { Arguments } from "../command.ts";
import { type CommandContext, printResult } from "../context.ts";
import { hsmFindings } from "../doctor-hsm.ts";
import { ensureFolder } from "../files.ts";
import { licenseDirOf } from "../licensing.ts";
import { loadManifests } from "../manifests.ts";
import { version } from "../version.ts";

export function build(yargs: Argv): Argv {
  return yargs.option("udev-rules", { type: "boolean", describe: "print the udev rules and nothing else" });
}

type Verdict = "ok" | "attention" | "problem";
interface Finding {
  readonly check: string;
  readonly verdict: Verdict;
  readonly detail: string;
}

/** Looks at everything a station needs, says what is wrong and what to do. Exit 3 when something is. */
export async function run(args: Arguments, context: CommandContext): Promise<number> {
  if (args["udev-rules"] === true) {
    context.out(udevRules());
    return 0;
  }
  const findings = [
    {
      check: "station",
      verdict: "ok" as const,
      detail: `version ${version}, Node ${process.version}, ${process.platform} ${process.arch}`,
    },
    await finding("device data", async () => `${(await loadManifests()).length} devices, all valid`),
    await finding("journals", async () => writable(context.options.logDir)),
    await finding("licenses", async () => writable(licenseDirOf(args, context))),
    ...(await hsmFindings(context.env)),
    ...(await probeFindings()),
  ];
  printResult(context, { findings, udevRules: udevRules() }, () =>
    [
      ...findings.map(({ check, verdict, detail }) => `${verdict.padEnd(9)}  ${check}: ${detail}`),
      ...(findings.some(({ check, verdict }) => check.startsWith("probe") && verdict !== "ok")
        ? ["", udevHelp()]
        : []),
    ].join("\n"),
  );
  return findings.some(({ verdict }) => verdict === "problem") ? 3 : 0;
}

async function finding(check: string, work: () => Promise<string>): Promise<Finding> {
  try {
    return { check, verdict: "ok", detail: await work() };
  } catch (thrown) {
    const error = asStationError(thrown);
    return { check, verdict: "problem", detail: `${error.code}: ${error.message}. ${error.remedy}` };
  }
}

async function writable(folder: string): Promise<string> {
  await ensureFolder(folder, 0o700);
  return folder;
}

async function probeFindings(): Promise<Finding[]> {
  try {
    const probes = await listProbes();
    if (probes.length === 0)
      return [{ check: "probes", verdict: "attention", detail: "no ST-LINK is attached" }];
    return await Promise.all(
      probes.map(({ selector }) => finding(`probe ${selector}`, () => probeDetail(selector))),
    );
  } catch (thrown) {
    return [{ check: "probes", verdict: "problem", detail: asStationError(thrown).message }];
  }
}

/** Opens the probe, but no target: firmware and voltage need none. */
async function probeDetail(selector: string): Promise<string> {
  const bench = await openBench(selector);
  try {
    const probe = await bench.openProbe();
    try {
      const millivolts = await probe.readTargetMillivolts();
      return `${probe.identity.product} ${probe.identity.firmware}, target ${millivolts ?? "unknown"} mV`;
    } finally {
      await probe.close();
    }
  } finally {
    await bench.close();
  }
}

/** One rule a product id: members of plugdev, and whoever sits at the machine, may open ST-LINKs. */
function udevRules(): string {
  const rules = stlinkProducts
    .filter(({ role }) => role !== "v1")
    .map(
      ({ productId, name }) =>
        `# ${name}\nSUBSYSTEM=="usb", ATTR{idVendor}=="0483", ATTR{idProduct}=="${hexNumber(productId, 4).slice(2).toLowerCase()}", MODE="0660", GROUP="plugdev", TAG+="uaccess"`,
    );
  return `${rules.join("\n")}\n`;
}

function udevHelp(): string {
  return [
    "On Linux a rule must allow this user to open ST-LINKs:",
    "  sfi doctor --udev-rules | sudo tee /etc/udev/rules.d/60-sfi-st-link.rules",
    "  sudo udevadm control --reload && sudo udevadm trigger --subsystem-match=usb",
    "then plug the probe in again.",
    `Probe firmware must be at least V2J${firmwareFloor.v2} or V3J${firmwareFloor.v3} (ST's STLinkUpgrade).`,
  ].join("\n");
}
