import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ToolName } from "../../drivers/cubeprogrammer/find.ts";
import { temporaryFolder } from "./sfi.ts";

/** What the stand-in does when it is asked for a license. */
export type Misbehavior =
  | "none"
  | "exit-0-without-file"
  | "stale-file"
  | "short-file"
  | "fails"
  | "fails-and-counts"
  | "hangs-with-child"
  | "complains-afterwards"
  | "module-not-loaded"
  | "not-started"
  | "session-lost"
  | "not-initialized";

export interface VendorScript {
  readonly counter?: number;
  readonly state?: string;
  readonly firmwareId?: string;
  readonly misbehavior?: Misbehavior;
  /** Print in color, with carriage returns. */
  readonly color?: boolean;
  /** How the counter is printed. */
  readonly counterText?: "plain" | "decimal-comma" | "grouped";
  /** What -hsmgetinfo leaves out, so that it has to be asked for by itself. */
  readonly infoWithout?: readonly ("counter" | "state" | "firmwareId")[];
}

/** A stand-in of one of ST's programs: what it prints is made after user reports and ST's documents. */
export interface StandIn {
  readonly tool: { readonly file: string; readonly folder: string };
  readonly counter: () => number;
  /** Command lines it was run with. */
  readonly calls: () => string[][];
  /** Environment of its last run. */
  readonly environment: () => Readonly<Record<string, string>>;
  /** Process id of what it left running. */
  readonly childPid: () => number;
}

export function vendorStandIn(script: VendorScript = {}, name: ToolName = "STM32_Programmer_CLI"): StandIn {
  const folder = temporaryFolder();
  const at = (file: string) => join(folder, file);
  writeFileSync(at("script.json"), JSON.stringify(script));
  writeFileSync(at("counter"), String(script.counter ?? 2000));
  writeFileSync(at(name), `#!${process.execPath}\n${program}`);
  chmodSync(at(name), 0o755);
  const text = (file: string) => readFileSync(at(file), "utf8");
  return {
    tool: { file: at(name), folder },
    counter: () => Number(text("counter")),
    calls: () =>
      existsSync(at("calls"))
        ? text("calls")
            .trim()
            .split("\n")
            .map((line) => JSON.parse(line) as string[])
        : [],
    environment: () => JSON.parse(text("environment")) as Record<string, string>,
    childPid: () => Number(text("child")),
  };
}

/** CommonJS: a file without an extension is that. */
const program = String.raw`
const fs = require("node:fs"), path = require("node:path"), { spawn } = require("node:child_process");
const at = (file) => path.join(__dirname, file);
const script = JSON.parse(fs.readFileSync(at("script.json"), "utf8"));
const words = process.argv.slice(2);
fs.appendFileSync(at("calls"), JSON.stringify(words) + "\n");
fs.writeFileSync(at("environment"), JSON.stringify(process.env));
if (process.cwd() !== __dirname) { console.log("Unable to load ./libstp11_SAM.so module"); process.exit(1); }
let counter = Number(fs.readFileSync(at("counter"), "utf8"));
const say = (line) => process.stdout.write(script.color ? "\x1b[32m" + line + "\x1b[0m\r\n" : line + "\n");
const error = (line) => process.stdout.write(script.color ? "\x1b[31m" + line + "\x1b[0m\r\n" : line + "\n");
const count = () => fs.writeFileSync(at("counter"), String(--counter));
say("      -------------------------------------------------------------------");
say("                       STM32CubeProgrammer v2.20.0                  ");
say("      -------------------------------------------------------------------");
say("Voltage     : 3,30V");
const shown = { plain: String(counter), "decimal-comma": counter + ",00", grouped: "2.000" }[script.counterText ?? "plain"];
const lines = {
  counter: "HSM COUNTER           : " + shown,
  state: "HSM STATE             : " + (script.state ?? "OPERATIONAL_STATE"),
  firmwareId: "HSM FW IDENTIFIER     : " + (script.firmwareId ?? "FW_A"),
};
const broken = {
  "module-not-loaded": ['ldm_LoadModule(): loading module "./libstp11_SAM.so" ...', 'ldm_LoadModule: FAILURE loading library "./libstp11_SAM.so": 0x00000000 ...', "Unable to load ./libstp11_SAM.so module",
    "Error: P11 lib initialization Failure : Error code : UNKNOWN ERROR", "Error: failed to init communication with plugged HSM with slot ID 1", "Error: failed to Open session with reader solt ID 1 : Error code : CKR_SESSION_HANDLE_INVALID", "Error: Closing communication with HSM Failure : Error code : CKR_CRYPTOKI_NOT_INITIALIZED"],
  "not-started": ["Init Communication ...", "Error: P11 lib initialization Failure : Error code : UNKNOWN ERROR", "Error: Closing communication with HSM Failure : Error code : CKR_CRYPTOKI_NOT_INITIALIZED"],
  "session-lost": ["P11 lib initialization Success!", "Error: failed to Open session with reader solt ID 1 : Error code : CKR_SESSION_HANDLE_INVALID", "Error: Closing communication with HSM Failure : Error code : CKR_CRYPTOKI_NOT_INITIALIZED"],
  "not-initialized": ["Error: Closing communication with HSM Failure : Error code : CKR_CRYPTOKI_NOT_INITIALIZED"],
}[script.misbehavior];
if (broken) { broken.forEach(error); process.exit(1); }
const [option, certificate, license] = words;
const info = { "-hsmgetcounter": ["counter"], "-hsmgetstatus": ["state"], "-hsmgetfwid": ["firmwareId"],
  "-hsmgetinfo": ["state", "counter", "firmwareId"].filter((name) => !(script.infoWithout ?? []).includes(name)) }[option];
if (info) { info.forEach((name) => say(lines[name])); if (option === "-hsmgetinfo") { say("HSM VERSION           : 2"); say("HSM TYPE              : SFI"); } process.exit(0); }
if (option === "-hsm") { // STM32TrustedPackageCreator_CLI
  if (script.misbehavior === "fails") { error("Error: HSM programming failed, the HSM is locked"); process.exit(0); }
  say("HSM successfully programmed"); process.exit(0);
}
if (option !== "-hsmgetlicensefromcertifbin") { error("Error: Wrong command"); process.exit(1); }
const write = () => fs.writeFileSync(license, Buffer.concat([Buffer.from([1, 0, 0, 0]), fs.readFileSync(certificate).subarray(4, 136)]));
switch (script.misbehavior) {
  case "exit-0-without-file": count(); say("Succeed to get License for Firmware from HSM slot ID 1"); break;
  case "stale-file": write(); fs.utimesSync(license, 1e9, 1e9); say("Succeed to get License for Firmware from HSM slot ID 1"); break;
  case "short-file": fs.writeFileSync(license, "short"); break;
  case "fails": error("Error: Could not proceed, HSM getting License Operation Failure! Please verify the counter otherwise, try again"); process.exit(1);
  case "fails-and-counts": count(); error("15:26:54 : Error: Could not proceed, HSM getting License Operation Failure! Please verify the counter otherwise, try again"); process.exit(1);
  case "hangs-with-child": { const child = spawn("sleep", ["1000"], { stdio: "inherit" }); fs.writeFileSync(at("child"), String(child.pid)); setInterval(() => {}, 1000); break; }
  case "complains-afterwards": count(); write(); error("Error: Closing communication with HSM Failure : Error code : CKR_CRYPTOKI_NOT_INITIALIZED"); break;
  default: count(); write(); say("Succeed to generate license for the current STM32 device"); say("Succeed to get License for Firmware from HSM slot ID 1");
}
`;
