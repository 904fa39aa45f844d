import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hex32, hexNumber } from "../bytes/hex.ts";
import { catalogue } from "../errors/catalogue.ts";
import type { CatalogueEntry } from "../errors/entry.ts";
import { rows, type State, stateTitles, toMermaid, transitions } from "../install/machine.ts";
import { versionText } from "../install/preflight-family.ts";
import { type Fact, listFacts } from "../target/evidence.ts";
import { manifestSchema } from "../target/manifest.ts";
import type { DeviceManifest, EvidenceLevel } from "../target/manifest-types.ts";
import { loadManifests } from "./manifests.ts";
import { packageFolder } from "./version.ts";

const levels: readonly EvidenceLevel[] = ["specified", "observed", "assumed"];

/** The files that are made from the code, by path. */
async function pages(): Promise<Readonly<Record<string, string>>> {
  const manifests = await loadManifests();
  return {
    "docs/errors.md": errorsPage(),
    "docs/states.md": statesPage(),
    "docs/devices.md": devicesPage(manifests),
    "docs/evidence.md": evidencePage(manifests),
    "rsse/schema.json": `${JSON.stringify(manifestSchema(), null, 2)}\n`,
  };
}

const generated = "Generated from the code by `npm run docs`; do not edit.";

function errorsPage(): string {
  const entries: [string, CatalogueEntry][] = Object.entries(catalogue);
  const exits = [...new Set(entries.map(([, { exit }]) => exit))].sort((a, b) => a - b);
  return [
    "# Errors",
    "",
    generated,
    "",
    "Names are permanent. `part` is the state the part is left in when nothing else is known; an install says what it",
    "really did. Whether a license was spent is said with every error of a run.",
    "",
    ...exits.flatMap((exit) => [
      `## Exit code ${exit}`,
      "",
      ...entries
        .filter(([, entry]) => entry.exit === exit)
        .flatMap(([code, entry]) => errorSection(code, entry)),
    ]),
  ].join("\n");
}

function errorSection(code: string, entry: CatalogueEntry): string[] {
  return [
    `### ${code}`,
    "",
    `> ${entry.message}`,
    "",
    `- why: ${entry.cause}`,
    `- do: ${entry.remedy}`,
    `- part: ${entry.disposition}; again: ${entry.retry}`,
    "",
  ];
}

function statesPage(): string {
  const states = Object.keys(transitions) as State[];
  return [
    "# States of an install",
    "",
    generated,
    "",
    "```mermaid",
    toMermaid().trimEnd(),
    "```",
    "",
    "Up to and including `inspected` nothing is written that outlives a reset. `certified` and `armed` change option",
    "bytes, which can be put back. A license is asked for in `ready`, after everything else that can fail was tried.",
    "From `detached` on RSS owns the part.",
    "",
    "| state | what happens in it | events |",
    "|---|---|---|",
    ...states.map((state) => {
      const events = rows()
        .filter(({ from }) => from === state)
        .map(({ event, to }) => `${event} → ${to}`);
      return `| ${state} | ${stateTitles[state]} | ${events.join("<br>") || "end of the run"} |`;
    }),
    "",
  ].join("\n");
}

function devicesPage(manifests: readonly DeviceManifest[]): string {
  return [
    "# Devices",
    "",
    generated,
    "",
    "Everything below is proved on the virtual bench. No real part has confirmed any of it yet.",
    "",
    "`regress` opens the part again by option writes; where it says debug authentication, only an authenticated request",
    "does once the part has left Open. `assumed` counts the facts of an install that nobody has published.",
    "",
    "| device | parts | secure install over SWD | regress | installed with | needs at least | assumed |",
    "|---|---|---|---|---|---|---|",
    ...manifests.map(deviceRow),
    "",
    ...manifests.flatMap(deviceSection),
  ].join("\n");
}

function deviceRow(manifest: DeviceManifest): string {
  const { device, sfi, rdp } = manifest;
  const versions = sfi.minimumVersions.map(({ what, minimum }) => `${what} ${versionText(what, minimum)}`);
  const assumed = listFacts(manifest).filter(
    ({ path, evidence }) => path.startsWith("sfi.") && evidence.level === "assumed",
  ).length;
  return `| ${[
    hexNumber(device.id, 3),
    device.name,
    sfi.rss === undefined ? "no: bootloader only" : "yes, on the virtual bench",
    rdp.regression.by === "options" ? "option writes" : "debug authentication",
    sfi.rss === undefined ? "" : sfi.rsse === undefined ? "RSS" : `RSSe of ${sfi.rsse.family}`,
    versions.join(", ") || "nothing known",
    sfi.rss === undefined ? "" : String(assumed),
  ].join(" | ")} |`;
}

function deviceSection(manifest: DeviceManifest): string[] {
  const { device, flash, sfi } = manifest;
  const counts = countByLevel(listFacts(manifest));
  return [
    `## ${hexNumber(device.id, 3)} ${device.name}`,
    "",
    `${device.core}; flash ${flash.banks.map(({ address, sectors }) => `${hex32(address)} ${sectors} × ${flash.sectorBytes / 1024} KiB`).join(" and ")}, programmed ${flash.wordBytes} bytes at a time.`,
    "",
    `- package protocol versions: ${sfi.protocolVersions.join(", ")}; product ids ${sfi.productIds.join(", ") || "not published"}`,
    `- RAM for one part of a package: ${hexNumber(sfi.ramSizeBytes)}`,
    `- facts: ${levels.map((level) => `${counts[level]} ${level}`).join(", ")}`,
    "",
    "| variant | security extension | dual core | dual bank |",
    "|---|---|---|---|",
    ...manifest.variants.map(
      ({ name, facets }) =>
        `| ${name} | ${yes(facets.security)} | ${yes(facets.dualCore)} | ${yes(facets.dualBank)} |`,
    ),
    "",
    "| option byte | register | bits | values |",
    "|---|---|---|---|",
    ...Object.entries(manifest.optionBytes.registers).flatMap(([register, { fields }]) =>
      Object.entries(fields)
        .filter(([, field]) => field.hidden !== true)
        .map(
          ([name, { bits, values, equation }]) =>
            `| ${name} | ${register} | ${bits[0] === bits[1] ? bits[0] : `${bits[0]}:${bits[1]}`} | ${
              values?.map(({ value, text }) => `${hexNumber(value)} ${text}`).join("<br>") ??
              (equation === undefined
                ? "any"
                : `${hexNumber(equation.multiplier)} × n + ${hex32(equation.offset)}`)
            } |`,
        ),
    ),
    "",
  ];
}

function yes(value: boolean): string {
  return value ? "yes" : "no";
}

function countByLevel(facts: readonly Fact[]): Record<EvidenceLevel, number> {
  const counts = { specified: 0, observed: 0, assumed: 0 };
  for (const { evidence } of facts) counts[evidence.level]++;
  return counts;
}

function evidencePage(manifests: readonly DeviceManifest[]): string {
  return [
    "# Evidence",
    "",
    generated,
    "",
    "What each fact about a chip rests on. `specified`: published by ST or Arm. `observed`: in a public log or a",
    "recording of a real run. `assumed`: neither; a plan that needs such a fact is refused on a real part unless",
    "`--allow-assumed` is given.",
    "",
    ...manifests.flatMap((manifest) => [
      `## ${hexNumber(manifest.device.id, 3)} ${manifest.device.name}`,
      "",
      ...levels.flatMap((level) => [
        `### ${level}`,
        "",
        "| facts | source |",
        "|---|---|",
        ...manifest.evidence
          .filter((entry) => entry.level === level)
          .map(({ path, source }) => `| \`${path}\` | ${source} |`),
        "",
      ]),
    ]),
  ].join("\n");
}

/** Writes the pages, or with --check says which are not fresh (exit code 1). */
async function main(check: boolean): Promise<number> {
  const stale: string[] = [];
  for (const [name, text] of Object.entries(await pages())) {
    const file = join(packageFolder, name);
    const current = await readFile(file, "utf8").catch(() => undefined);
    if (current === text) continue;
    stale.push(name);
    if (!check) await writeFile(file, text);
  }
  process.stdout.write(
    stale.length === 0 ? "pages are fresh\n" : `${check ? "not fresh" : "written"}: ${stale.join(", ")}\n`,
  );
  return check && stale.length > 0 ? 1 : 0;
}

process.exitCode = await main(process.argv.includes("--check"));
