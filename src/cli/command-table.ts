import type { CommandModule } from "./command.ts";

interface CommandEntry {
  readonly command: string;
  readonly describe: string;
  readonly load: () => Promise<CommandModule>;
  /** What follows the command's name is not ours: it is handed over word by word. */
  readonly rawWords?: boolean;
}

/** Every command. Its file is read only when it is used, so that start-up does not pay for the others. */
export const commandTable: readonly CommandEntry[] = [
  {
    command: "list",
    describe: "list probes without touching a target",
    load: () => import("./commands/list.ts"),
  },
  {
    command: "inspect",
    describe: "probe, target, versions, security state; read only",
    load: () => import("./commands/inspect.ts"),
  },
  {
    command: "certificate <action> [file]",
    describe: "read | show: the chip's certificate",
    load: () => import("./commands/certificate.ts"),
  },
  {
    command: "options <action> [words..]",
    describe: "show | set | csv: option bytes by name",
    load: () => import("./commands/options.ts"),
  },
  {
    command: "flash <action>",
    describe: "read | erase | write | verify",
    load: () => import("./commands/flash.ts"),
  },
  {
    command: "package <action> [file] [other]",
    describe:
      "build | inspect | verify | diff: secure images; rsse: a development RSSe binary; inspect shows any key or certificate file",
    load: () => import("./commands/package.ts"),
  },
  {
    command: "key <action>",
    describe: "generate | show: firmware keys, nonces, key pairs",
    load: () => import("./commands/key.ts"),
  },
  {
    command: "obk <action> [file]",
    describe: "create | show: OBKey files of H5 and H7RS",
    load: () => import("./commands/obk.ts"),
  },
  {
    command: "da <action> [files..]",
    describe: "certificate | chain | password | show: debug authentication",
    load: () => import("./commands/da.ts"),
  },
  {
    command: "ssp <action> [file]",
    describe: "build | show | secrets | backup | words: secure secret provisioning of STM32MP",
    load: () => import("./commands/ssp.ts"),
  },
  {
    command: "stpc [words..]",
    describe: "the words of STM32TrustedPackageCreator_CLI: -sfi, -ssp, -obk, -hsm",
    rawWords: true,
    load: () => import("./commands/stpc.ts"),
  },
  {
    command: "license <action> [words..]",
    describe: "issue | show | suspect | clear | forget | ledger | bundle | serve: licenses and their account",
    load: () => import("./commands/license.ts"),
  },
  {
    command: "hsm <action> [file]",
    describe: "info | counter | firmware-id | state | suggest-personalization | provision",
    load: () => import("./commands/hsm.ts"),
  },
  {
    command: "plan",
    describe: "the ordered steps and their digest; touches nothing",
    load: () => import("./commands/plan.ts"),
  },
  {
    command: "install",
    describe: "the job: secure firmware install, proven",
    load: () => import("./commands/install.ts"),
  },
  {
    command: "resume <journal>",
    describe: "go on after an interruption",
    load: () => import("./commands/resume.ts"),
  },
  {
    command: "abort",
    describe: "end a pending install: erase and open the part",
    load: () => import("./commands/abort.ts"),
  },
  {
    command: "prepare",
    describe: "make a part ready for a secure install: protections, option bytes, flash",
    load: () => import("./commands/prepare.ts"),
  },
  {
    command: "regress",
    describe: "back to open: RDP, protections, security bit",
    load: () => import("./commands/regress.ts"),
  },
  {
    command: "journal <action> <file>",
    describe: "show | verify: what happened",
    load: () => import("./commands/journal.ts"),
  },
  {
    command: "trace <action> <file>",
    describe: "show | convert: recorded USB transfers and usbmon captures",
    load: () => import("./commands/trace.ts"),
  },
  {
    command: "report <action> <file>",
    describe: "show | verify: a run's report",
    load: () => import("./commands/report.ts"),
  },
  {
    command: "doctor",
    describe: "permissions, udev rules, versions, probe firmware",
    load: () => import("./commands/doctor.ts"),
  },
  {
    command: "virtual <action> [words..]",
    describe: "run | serve: virtual ST-LINKs on a program's USB bus, or for the kernel",
    load: () => import("./commands/virtual.ts"),
  },
  {
    command: "demo",
    describe: "the whole job on the virtual bench, in a temporary folder",
    load: () => import("./commands/demo.ts"),
  },
];
