import type { CommandModule } from "./command.ts";

interface CommandEntry {
  readonly command: string;
  readonly describe: string;
  readonly load: () => Promise<CommandModule>;
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
    command: "package <action> [file]",
    describe: "build | inspect | verify: SFI images; rsse: a development RSSe binary",
    load: () => import("./commands/package.ts"),
  },
  {
    command: "license <action> [file]",
    describe: "issue | show: licenses",
    load: () => import("./commands/license.ts"),
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
    describe: "run: any program, with virtual ST-LINKs on its USB bus",
    load: () => import("./commands/virtual.ts"),
  },
  {
    command: "demo",
    describe: "the whole job on the virtual bench, in a temporary folder",
    load: () => import("./commands/demo.ts"),
  },
];
