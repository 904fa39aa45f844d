import type { Argv } from "yargs";
import { StationError } from "../errors/station-error.ts";
import { bundleSource, openBundle } from "../license/bundle.ts";
import { developmentIssuer } from "../license/development-issuer.ts";
import type { LicenseSource } from "../ports/index.ts";
import { requiredText, textOption } from "./arguments.ts";
import type { Arguments } from "./command.ts";
import type { CommandContext } from "./context.ts";
import { readInput, readInputText, readSecret } from "./files.ts";
import { hsmForms } from "./hsm-selector.ts";
import { hsmSource, type OpenedSource } from "./hsm-source.ts";
import { readPackageKey } from "./package-files.ts";

/** Options of the sources that are not on this station: the license service and bundles of it. */
export function remoteSourceOptions(yargs: Argv): Argv {
  return yargs
    .option("license-service", { type: "string", describe: "license from a service: https://host:port" })
    .option("service-ca", { type: "string", describe: "authority of the service's certificate (PEM)" })
    .option("client-cert", { type: "string", describe: "this station's certificate for the service (PEM)" })
    .option("client-key", { type: "string", describe: "its private key (PEM); readable by you alone" })
    .option("license-bundle", {
      type: "string",
      describe: "license from a bundle (`sfi license bundle make`)",
    })
    .option("bundle-key", { type: "string", describe: "public key (PEM) that the bundle is signed with" });
}

/** Names of those options whose values are files, and the rest: what a `resume` needs again. */
export const remoteSourceFiles = [
  "service-ca",
  "client-cert",
  "client-key",
  "license-bundle",
  "bundle-key",
] as const;
export const remoteSourceTexts = ["license-service"] as const;

/** The source that --license-service or --license-bundle names; undefined when neither was given. */
export async function remoteSource(args: Arguments): Promise<LicenseSource | undefined> {
  const url = textOption(args, "license-service") ?? textOption(args, "from");
  const bundle = textOption(args, "license-bundle");
  if (url !== undefined && bundle !== undefined) {
    throw usage("--license-service and --license-bundle exclude each other");
  }
  if (bundle !== undefined) return bundleFrom(bundle, args);
  if (url === undefined) return undefined;
  if (!URL.canParse(url) || new URL(url).protocol !== "https:") throw usage(`${url} is no https:// address`);
  const authority = textOption(args, "service-ca");
  const { httpLicenseSource } = await import("../../drivers/licenses/http-source.ts");
  return httpLicenseSource({
    url,
    authority: authority === undefined ? undefined : await readInput(authority),
    certificate: await readInput(requiredText(args, "client-cert")),
    key: await readSecret(requiredText(args, "client-key")),
  });
}

async function bundleFrom(file: string, args: Arguments): Promise<LicenseSource> {
  const key = await readInputText(requiredText(args, "bundle-key"));
  return bundleSource(openBundle(await readInputText(file), key, file), file);
}

/** Options of the sources that a station itself can issue from. */
export function issuingSourceOptions(yargs: Argv): Argv {
  return yargs
    .option("development", { type: "boolean", describe: "development licenses, for virtual chips" })
    .option("key", { type: "string", describe: "--development: the package's key" })
    .option("nonce", { type: "string", describe: "--development: the package's nonce" })
    .option("firmware-id", { type: "string", describe: "firmware identifier the source must have" })
    .option("hsm", { type: "string", describe: `licenses from an HSM: ${hsmForms}` })
    .option("pin-file", { type: "string", describe: "PIN of the token; readable by you alone" });
}

/** The one source that the options name. @throws USAGE_INVALID for none or several */
export async function issuingSource(args: Arguments, context: CommandContext): Promise<OpenedSource> {
  const remote = await remoteSource(args);
  const hsm = textOption(args, "hsm");
  const development = args["development"] === true;
  if ([remote !== undefined, hsm !== undefined, development].filter(Boolean).length !== 1) {
    throw usage("name one license source: --hsm, --license-service, --license-bundle or --development");
  }
  if (hsm !== undefined) return hsmSource(hsm, args, context);
  const close = async () => {};
  if (remote !== undefined) return { source: remote, close };
  return { source: await developmentSource(args), close };
}

/** The development issuer under the firmware identifier that the operator gave it. */
async function developmentSource(args: Arguments): Promise<LicenseSource> {
  const key = await readPackageKey(args);
  if (key === undefined) throw usage("--development needs --key and --nonce");
  const firmwareId = textOption(args, "firmware-id");
  const issuer = developmentIssuer(key);
  if (firmwareId === undefined) return issuer;
  return {
    ...issuer,
    inspect: async () => ({ ready: true, remaining: undefined, firmwareId, detail: "development" }),
  };
}

function usage(detail: string): StationError {
  return StationError.of("USAGE_INVALID", { detail });
}
