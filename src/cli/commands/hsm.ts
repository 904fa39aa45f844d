import type { Argv } from "yargs";
import { StationError } from "../../errors/station-error.ts";
import { requiredText, textOption } from "../arguments.ts";
import type { Arguments } from "../command.ts";
import { type CommandContext, printResult } from "../context.ts";
import { readInput } from "../files.ts";
import { type HsmFacts, readHsm } from "../hsm-facts.ts";
import { provisionHsm } from "../hsm-provision.ts";
import { hsmForms, parseHsmSelector } from "../hsm-selector.ts";
import { suggestPersonalization } from "../personalization.ts";

const actions = ["info", "counter", "firmware-id", "state", "suggest-personalization", "provision"] as const;

/** Actions that print one value. */
const singleValues = { counter: "counter", "firmware-id": "firmwareId", state: "state" } as const;

export function build(yargs: Argv): Argv {
  return yargs
    .positional("action", { choices: actions })
    .positional("file", { type: "string", describe: "suggest-personalization: the chip's certificate" })
    .option("hsm", { type: "string", default: "slot=1", describe: hsmForms })
    .option("pin-file", { type: "string", describe: "PIN of the token; readable by you alone" })
    .option("flow", {
      type: "string",
      default: "SFI",
      describe: "suggest-personalization: SFI, SFIA, SSP, SMU",
    })
    .option("packages", { type: "string", describe: "suggest-personalization: ST's folder PersoPackages" })
    .option("key", { type: "string", describe: "provision: the package's key" })
    .option("nonce", { type: "string", describe: "provision: the package's nonce" })
    .option("firmware-id", { type: "string", describe: "provision: firmware identifier" })
    .option("max", { type: "string", describe: "provision: how many licenses it may issue" })
    .option("personalization", { type: "string", describe: "provision: personalization file of a V2 card" })
    .option("lock", { type: "boolean", describe: "provision: lock it for good (a real card always is)" })
    .option("approve", {
      type: "string",
      describe: "provision: digest of what is about to be done to a real card",
    })
    .option("tool", { type: "string", describe: "provision: path of STM32TrustedPackageCreator_CLI" });
}

export async function run(args: Arguments, context: CommandContext): Promise<number> {
  const action = requiredText(args, "action");
  if (action === "suggest-personalization") return suggest(args, context);
  const selector = parseHsmSelector(requiredText(args, "hsm"));
  if (action === "provision") return provisionHsm(selector, args, context);
  const facts = await readHsm(selector, context);
  if (action === "info") {
    printResult(context, facts, () => infoText(facts));
    return 0;
  }
  return printOne(context, singleValues[action as keyof typeof singleValues], facts);
}

async function suggest(args: Arguments, context: CommandContext): Promise<number> {
  const file = textOption(args, "file");
  if (file === undefined) throw usage("suggest-personalization needs a certificate file");
  const options = { flow: requiredText(args, "flow"), packages: textOption(args, "packages") };
  const { text, ...suggestion } = await suggestPersonalization(await readInput(file), file, options);
  printResult(context, suggestion, () => text);
  return 0;
}

/** One value for scripts. @throws HSM_VALUE_MISSING when the HSM does not say it: no number is not zero */
function printOne(
  context: CommandContext,
  name: (typeof singleValues)[keyof typeof singleValues],
  facts: HsmFacts,
): number {
  const value = facts[name];
  if (value === undefined) {
    const detail = facts.state === "ST_STATE" ? "it is blank (ST_STATE)" : "it does not show it";
    throw StationError.of("HSM_VALUE_MISSING", { source: facts.source, what: name, detail });
  }
  printResult(context, { [name]: value }, () => String(value));
  return 0;
}

function infoText(facts: HsmFacts): string {
  const rows: readonly (readonly [string, string | number | undefined])[] = [
    ["source", facts.source],
    ["library", facts.library],
    [
      "own libraries",
      facts.deep === undefined ? undefined : facts.deep ? "yes" : "no (bound as the system does)",
    ],
    ["firmware id", facts.firmwareId],
    ["state", facts.state],
    ["counter", facts.counter],
    ["version", facts.version],
    ["type", facts.type],
  ];
  return [
    ...rows.flatMap(([name, value]) => (value === undefined ? [] : [`${name.padEnd(14)} ${value}`])),
    ...(facts.tokens ?? []).map(
      ({ label, serial, model }) =>
        `${"token".padEnd(14)} ${label || "(no label)"}, serial ${serial || "none"}, ${model}`,
    ),
    ...facts.notes.map((note) => `note: ${note}`),
  ].join("\n");
}

function usage(detail: string): StationError {
  return StationError.of("USAGE_INVALID", { detail });
}
