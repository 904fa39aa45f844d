import type { Argv } from "yargs";
import { hex32, hexNumber } from "../../bytes/hex.ts";
import { scanAps } from "../../dap/scan-aps.ts";
import { type RssVersion, readRssVersion } from "../../target/rss.ts";
import { readSecurityState, type SecurityState } from "../../target/security.ts";
import { targetOptions } from "../arguments.ts";
import type { Arguments } from "../command.ts";
import { type CommandContext, printResult } from "../context.ts";
import { type ConnectedTarget, withTarget } from "../target.ts";

export function build(yargs: Argv): Argv {
  return targetOptions(yargs)
    .option("rss", { type: "boolean", describe: "ask RSS for its version too (halts the core, uses RAM)" })
    .option("aps", { type: "boolean", describe: "scan all access ports" });
}

export async function run(args: Arguments, context: CommandContext): Promise<number> {
  await withTarget(args, context, "hot-plug", async (target) => {
    const { identity, debug, clock } = target;
    const security = readSecurityState(identity.manifest, identity.variant, await target.readOptionBytes());
    const facts = {
      ...describe(target, security),
      ...(args["rss"] === true
        ? { rssVersion: versionText(await readRssVersion(debug, clock, identity.manifest)) }
        : {}),
      ...(args["aps"] === true
        ? {
            accessPorts: (await scanAps(debug.port)).map(({ ap, idr, kind }) => ({
              ap,
              idr: hex32(idr),
              kind,
            })),
          }
        : {}),
    };
    printResult(context, facts, () => asText(facts));
  });
  return 0;
}

function describe({ probe, debug, identity, millivolts }: ConnectedTarget, security: SecurityState) {
  return {
    probe: {
      selector: probe.identity.selector,
      product: probe.identity.product,
      firmware: probe.identity.firmware,
      serial: probe.identity.serial,
      real: probe.identity.real,
      targetMillivolts: millivolts ?? null,
      swdKilohertz: debug.actualKilohertz,
    },
    target: {
      name: identity.manifest.device.name,
      variant: identity.variant.name,
      deviceId: hexNumber(identity.deviceId, 3),
      revision: identity.revisionName,
      dpidr: hex32(identity.dpidr),
      cpuid: hex32(identity.cpuid),
      uid: identity.uid,
      flashSizeBytes: identity.flashSizeBytes,
      bootloaderVersion: `${identity.bootloaderVersion >> 4}.${identity.bootloaderVersion & 15}`,
      securityExtension: identity.variant.facets.security,
    },
    security: {
      rdpLevel: security.rdpLevel,
      securityEnabled: security.security,
      sfiPending: security.sfiPending,
      pcropAreas: security.pcropAreas.map(range),
      secureAreas: security.secureAreas.map(range),
      writeProtected: security.writeProtected.map(range),
    },
  };
}

function versionText({ major, minor, patch }: RssVersion): string {
  return `${major}.${minor}.${patch}`;
}

function range({ name, address, sizeBytes }: SecurityState["pcropAreas"][number]) {
  return { name, address: hex32(address), sizeBytes };
}

function asText(facts: object): string {
  const lines: string[] = [];
  for (const [group, values] of Object.entries(facts)) {
    if (typeof values !== "object" || values === null) lines.push(`${group}: ${String(values)}`);
    else
      lines.push(`${group}`, ...Object.entries(values).map(([name, value]) => `  ${name}: ${show(value)}`));
  }
  return lines.join("\n");
}

function show(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.map(show).join(", ");
  if (typeof value === "object" && value !== null) return Object.values(value).join(" ");
  return String(value);
}
