import { hostname } from "node:os";
import { join, resolve } from "node:path";
import type { Argv } from "yargs";
import { openFileLedger } from "../../drivers/licenses/file-ledger.ts";
import { StationError } from "../errors/station-error.ts";
import { brokeredSource, ledgeredStore } from "../license/brokered.ts";
import { lazyLedger } from "../license/lazy-ledger.ts";
import { type BrokerPolicy, createLicenseBroker, type LicenseBroker } from "../license/license-broker.ts";
import type { LicenseLedger, LicenseSource, LicenseStore } from "../ports/index.ts";
import { numberOption, textList, textOption } from "./arguments.ts";
import type { Arguments } from "./command.ts";
import type { CommandContext } from "./context.ts";
import { readInputText } from "./files.ts";
import { stateFolder } from "./folders.ts";
import { licenseFolder } from "./license-folder.ts";
import { nodeClock } from "./node-clock.ts";

/** Options of every command that gets or accounts for licenses. */
export function licensingOptions(yargs: Argv): Argv {
  return yargs
    .option("license-dir", { type: "string", describe: "where licenses are kept (SFI_LICENSE_DIR)" })
    .option("ledger", {
      type: "string",
      describe:
        "account of licenses: a file (default: ledger.ndjson in --license-dir) or postgres://… (SFI_LEDGER)",
    })
    .option("station", {
      type: "string",
      describe: "name of this station in the ledger (SFI_STATION; host name)",
    })
    .option("allow-burn", { type: "string", describe: "licenses of one chip that may be lost (default 0)" })
    .option("wait-card", { type: "string", describe: "seconds to wait for a missing card or reader" })
    .option("strict-counter", { type: "boolean", describe: "stop when others have used the license source" })
    .option("certificate-ca", {
      type: "string",
      describe: "public key (PEM) that chip certificates are signed with",
    })
    .option("product-id", {
      type: "string",
      array: true,
      nargs: 1,
      describe: "product id that chips must have",
    });
}

/** What the options say about licenses. */
export interface LicensingSettings {
  readonly folder: string;
  /** File name or postgres:// address, without a password. */
  readonly ledger: string;
  readonly station: string;
  readonly policy: BrokerPolicy;
}

/** Reads the options. @throws USAGE_INVALID, FILE_UNREADABLE */
export async function licensingSettings(
  args: Arguments,
  context: CommandContext,
): Promise<LicensingSettings> {
  const folder = licenseDirOf(args, context);
  const authority = textOption(args, "certificate-ca");
  const productIds = textList(args, "product-id");
  return {
    folder,
    ledger: ledgerOf(args, context, folder),
    station: textOption(args, "station") ?? context.env["SFI_STATION"] ?? hostname(),
    policy: {
      allowBurn: numberOption(args, "allow-burn", 1000) ?? 0,
      waitForSourceMs: (numberOption(args, "wait-card", 86_400) ?? 0) * 1000,
      strictCounter: args["strict-counter"] === true,
      certificates: {
        ...(authority === undefined ? {} : { authorityPem: await readInputText(authority) }),
        ...(productIds.length === 0 ? {} : { productIds }),
      },
    },
  };
}

/** Names of the options that a later `resume` needs again; those that name files are made absolute there. */
export const licensingInputs = ["station", "allow-burn", "wait-card"] as const;

/** Folder of stored licenses: --license-dir, SFI_LICENSE_DIR, or the user's state folder. */
export function licenseDirOf(args: Arguments, context: CommandContext): string {
  return resolve(
    textOption(args, "license-dir") ?? context.env["SFI_LICENSE_DIR"] ?? stateFolder("licenses"),
  );
}

/** The ledger that the options name. @throws USAGE_INVALID for a password on the command line */
export function ledgerOf(args: Arguments, context: CommandContext, folder: string): string {
  const named = textOption(args, "ledger") ?? context.env["SFI_LEDGER"];
  if (named === undefined) return join(folder, "ledger.ndjson");
  if (!isPostgres(named)) return resolve(named);
  if (!URL.canParse(named)) throw usage("--ledger is no postgres:// address");
  if (new URL(named).password !== "") {
    throw usage("--ledger must not hold a password: everybody on this machine could read it; use PGPASSFILE");
  }
  return named;
}

function isPostgres(name: string): boolean {
  return /^postgres(ql)?:\/\//.test(name);
}

function usage(detail: string): StationError {
  return StationError.of("USAGE_INVALID", { detail });
}

/** Opens the ledger itself. @throws LEDGER_UNAVAILABLE, LEDGER_DAMAGED */
export async function openLedger(
  { ledger, station }: Pick<LicensingSettings, "ledger" | "station">,
  onNotice: (message: string) => void,
): Promise<LicenseLedger> {
  if (!isPostgres(ledger)) return openFileLedger(ledger, { station, onNotice });
  const { openPostgresLedger } = await import("../../drivers/licenses/postgres-ledger.ts");
  return openPostgresLedger(ledger, { station, onNotice });
}

/** Everything through which a command gets licenses. */
export interface Licensing {
  readonly ledger: LicenseLedger;
  /** Folder and ledger as one. */
  readonly store: LicenseStore;
  /** The one way to spend from a source. */
  broker(source: LicenseSource): LicenseBroker;
  /** The source as a run uses it. */
  source(source: LicenseSource): LicenseSource;
  close(): Promise<void>;
}

/** Folder, ledger and broker of the settings. The ledger is opened when it is first needed. */
export function openLicensing(settings: LicensingSettings, onNotice: (message: string) => void): Licensing {
  const ledger = lazyLedger(settings.ledger, () => openLedger(settings, onNotice));
  const folder = licenseFolder(settings.folder);
  const broker = (source: LicenseSource) =>
    createLicenseBroker({
      source,
      ledger,
      store: folder,
      clock: nodeClock,
      policy: settings.policy,
      onNotice,
    });
  return {
    ledger,
    store: ledgeredStore({ ledger, store: folder }),
    broker,
    source: (source) => brokeredSource(source, broker(source), ledger),
    close: () => ledger.close(),
  };
}
