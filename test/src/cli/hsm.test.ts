import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseHsmSelector } from "../../../src/cli/hsm-selector.ts";
import { jobFiles } from "../../support/job-files.ts";
import { sampleCertificate } from "../../support/license-samples.ts";
import { badModule, compilerMissing, markedPin, softHsmMissing, softToken } from "../../support/pkcs11.ts";
import { sampleKey, sampleNonce } from "../../support/sample-job.ts";
import { sfi, sfiProgram, temporaryFolder } from "../../support/sfi.ts";
import { vendorStandIn } from "../../support/vendor-tool.ts";

/** A job in a folder, a token with its key, and the words that name the token. */
async function tokenJob(maximum: number) {
  const folder = temporaryFolder();
  const job = jobFiles(folder);
  const token = softToken();
  const hsm = ["--hsm", `module=${token.module},token=${token.label}`];
  const pinFile = job.at("pin");
  writeFileSync(pinFile, `${token.pin}\n`, { mode: 0o600 });
  const pin = ["--pin-file", pinFile];
  const content = ["--firmware-id", "FW_A", "--max", String(maximum), "--lock", ...job.secrets];
  const words = ["hsm", "provision", ...hsm, ...pin, ...content, "-vv"];
  const provision = await sfi(words, { env: token.env });
  expect([provision.code, provision.stderr]).toEqual([0, ""]);
  const install = [
    ...["install", "--package", job.at("job.sfi"), "--expect", job.at("options.csv"), ...job.folders],
    ...hsm,
  ];
  const runs = () =>
    readdirSync(job.at("runs")).map((name) => readFileSync(join(job.at("runs"), name), "latin1"));
  return { ...job, token, env: token.env, hsm, pin, pinFile, install, runs, provision };
}

const linesOf = (stdout: string) =>
  stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
/** The error event of a run, or the error of a command. */
const errorOf = (stdout: string) => linesOf(stdout).find((line) => "code" in line)!;
const endOf = (stdout: string) => linesOf(stdout).at(-1)!;

describe.skipIf(softHsmMissing !== "")(`sfi with a token of SoftHSM2 ${softHsmMissing}`, () => {
  it("installs with a key that only the token holds, and takes one license for it", async () => {
    const { install, env, hsm, pin, at } = await tokenJob(5);
    const words = [...install, ...pin, "--probe", `virtual:h753,state=${at("chip")}`, "--json"];
    const first = await sfi(words, { env });
    expect([first.code, first.stderr]).toEqual([0, first.stderr]);
    expect(endOf(first.stdout)).toMatchObject({ outcome: "installed", licenseSpent: true });
    const counter = await sfi(["hsm", "counter", ...hsm], { env });
    expect([counter.code, counter.stdout]).toEqual([0, "4\n"]);
    const info = await sfi(["hsm", "info", ...hsm, "--json"], { env });
    expect(JSON.parse(info.stdout)).toMatchObject({
      firmwareId: "FW_A",
      state: "OPERATIONAL_STATE",
      counter: 4,
    });
  });

  it("the same chip again costs nothing: its license is kept", async () => {
    const { install, env, hsm, pin } = await tokenJob(5);
    const words = [...install, ...pin, "--probe", "virtual:h753", "--json"];
    expect((await sfi(words, { env })).code).toBe(0);
    const again = await sfi(words, { env });
    expect(endOf(again.stdout)).toMatchObject({ outcome: "installed", licenseSpent: false });
    expect((await sfi(["hsm", "counter", ...hsm], { env })).stdout).toBe("4\n");
  });

  it("PIN, key and nonce are in no output, journal, report or log; the PIN's file name is for resume", async () => {
    const { install, env, hsm, pin, pinFile, runs, provision } = await tokenJob(1);
    const wrong = join(temporaryFolder(), "wrong");
    writeFileSync(wrong, "wRoNg-5d1f00ab", { mode: 0o600 });
    const probe = ["--probe", "virtual:h753", "-vv"];
    const results = [
      provision,
      await sfi(["hsm", "info", ...hsm, ...pin, "-vv"], { env }),
      await sfi([...install, "--pin-file", wrong, ...probe, "--json"], { env }),
      await sfi([...install, ...pin, ...probe], { env }),
      await sfi([...install, ...pin, "--probe", "virtual:h753,uid=1", "-vv"], { env }),
    ];
    expect(results.slice(0, 4).map(({ code }) => code)).toEqual([0, 0, 6, 0]);
    expect(results[4]!.code).not.toBe(0);
    const texts = [...results.flatMap(({ stdout, stderr }) => [stdout, stderr]), ...runs()];
    const hexKey = Buffer.from(sampleKey).toString("hex");
    const hexNonce = Buffer.from(sampleNonce).toString("hex");
    for (const secret of [markedPin, "wRoNg-5d1f00ab", hexKey, hexNonce]) {
      for (const text of texts) expect(text.includes(secret)).toBe(false);
    }
    const begin = runs()
      .flatMap((text) => text.split("\n"))
      .find((line) => line.includes('"run_begin"') && line.includes(pinFile));
    expect(begin).toBeDefined();
  });

  it("a wrong PIN, a missing one, an exposed file: exit 6, 6 and 4, the part as it was", async () => {
    const { install, env, at, pinFile } = await tokenJob(5);
    const probe = ["--probe", `virtual:h753,state=${at("chip")}`, "--json"];
    writeFileSync(at("wrong"), "0000", { mode: 0o600 });
    const wrong = await sfi([...install, "--pin-file", at("wrong"), ...probe], { env });
    const missing = await sfi([...install, ...probe], { env });
    chmodSync(pinFile, 0o640);
    const exposed = await sfi([...install, "--pin-file", pinFile, ...probe], { env });
    const [a, b, c] = [wrong, missing, exposed].map(({ stdout }) => errorOf(stdout));
    expect(a).toMatchObject({ exit: 6, licenseSpent: false, code: "HSM_PIN_REFUSED" });
    expect(b).toMatchObject({ exit: 6, licenseSpent: false, code: "HSM_PIN_MISSING" });
    expect(c).toMatchObject({ exit: 4, licenseSpent: false, code: "KEY_FILE_EXPOSED" });
  });

  it("a killed station is resumed from its journal alone; the token is not asked for a second license", async () => {
    const { install, env, hsm, pin, at } = await tokenJob(5);
    const fault = { schema: 1, faults: [{ at: { state: "staged", transfer: 30 }, kind: "kill" }] };
    writeFileSync(at("faults.json"), JSON.stringify(fault));
    const chip = `virtual:h753,state=${at("chip")}`;
    const killed = await sfi([...install, ...pin, "--probe", `${chip},fault=${at("faults.json")}`], { env });
    expect(killed.signal).toBe("SIGKILL");
    const [journal] = readdirSync(at("runs")).filter((name) => name.endsWith(".journal.ndjson"));
    const words = ["resume", join(at("runs"), journal!), "--probe", chip, "--log-dir", at("runs2"), "--json"];
    const resumed = await sfi(words, { env });
    expect(endOf(resumed.stdout)).toMatchObject({ outcome: "installed" });
    expect((await sfi(["hsm", "counter", ...hsm], { env })).stdout).toBe("4\n");
  });

  it("a plan takes the same options and needs no PIN", async () => {
    const { install, env, pin } = await tokenJob(5);
    const words = install.slice(1, install.indexOf("--license-dir"));
    const result = await sfi(["plan", "--device", "0x450", ...words, ...pin, "--hsm", "slot=1"], { env });
    expect([result.code, result.stderr]).toEqual([0, ""]);
  });

  it.skipIf(spawnSync("script", ["--version"]).status !== 0)(
    "asks for the PIN at a terminal without showing it",
    async () => {
      const { env, hsm, secrets } = await tokenJob(5);
      const words = ["hsm", "provision", ...hsm, ...secrets, "--firmware-id", "FW_B", "--max", "3"];
      const command = [process.execPath, sfiProgram, ...words].map((word) => `'${word}'`).join(" ");
      const terminal = spawn("script", ["-qec", command, "/dev/null"], { env: { ...env, TERM: "dumb" } });
      let shown = "";
      terminal.stdout.on("data", (data: Buffer) => {
        const asked = shown.includes("PIN: ");
        shown += data.toString();
        // Typed when asked, as a person does; with one character taken back.
        if (!asked && shown.includes("PIN: ")) terminal.stdin.write(`x\x7f${markedPin}\r`);
      });
      const [status] = await once(terminal, "close");
      // The token is locked: the PIN was right, the rest is refused.
      expect([status, shown.includes("HSM_ALREADY_LOCKED")]).toEqual([6, true]);
      expect(shown).not.toContain(markedPin.slice(0, 4));
    },
  );
});

describe.skipIf(compilerMissing !== "")(`sfi with a bad module ${compilerMissing}`, () => {
  it("a module that crashes ends the run before anything was written, with its name", async () => {
    const { install } = jobFiles(temporaryFolder());
    const words = install.filter((word) => word !== "--development-license");
    const module = badModule("segv");
    const result = await sfi([
      ...words,
      "--probe",
      "virtual:h753",
      "--hsm",
      `module=${module},token=x`,
      "--json",
    ]);
    expect([result.code, errorOf(result.stdout)["code"]]).toEqual([6, "PKCS11_CRASHED"]);
  });
});

describe("sfi hsm", () => {
  it("reads a real card through ST's tool", async () => {
    const { tool } = vendorStandIn({ counter: 41, color: true });
    const hsm = ["--hsm", `slot=2,tool=${tool.file}`];
    const words = ["counter", "firmware-id", "state"];
    const answers = await Promise.all(words.map((word) => sfi(["hsm", word, ...hsm])));
    expect(answers.map(({ stdout }) => stdout)).toEqual(["41\n", "FW_A\n", "OPERATIONAL_STATE\n"]);
  });

  it("spends no license of a real card on a virtual chip", async () => {
    const { install } = jobFiles(temporaryFolder());
    const { tool, calls, counter } = vendorStandIn({ counter: 41 });
    const words = install.filter((word) => word !== "--development-license");
    const hsm = ["--hsm", `slot=1,tool=${tool.file}`];
    const result = await sfi([...words, "--probe", "virtual:h753", ...hsm, "--json"]);
    expect([result.code, errorOf(result.stdout)["code"]]).toEqual([6, "LICENSE_GENUINE_ON_VIRTUAL"]);
    expect(counter()).toBe(41);
    expect(calls().filter(([option]) => option !== "-hsmgetinfo")).toEqual([]);
  });

  it("provisions a real card with ST's tool, after it was approved", async () => {
    const folder = temporaryFolder();
    const { secrets, at } = jobFiles(folder);
    const { tool, calls } = vendorStandIn({}, "STM32TrustedPackageCreator_CLI");
    writeFileSync(at("perso.enc.bin"), "x");
    const words = [
      ...["hsm", "provision", "--hsm", "slot=2", "--tool", tool.file, ...secrets],
      ...["--firmware-id", "FW_A", "--max", "2000", "--personalization", at("perso.enc.bin")],
    ];
    const refused = await sfi([...words, "--json"]);
    const digest = /plan ([0-9a-f]{64})/.exec(refused.stderr)?.[1];
    expect([refused.code, calls()]).toEqual([2, []]);
    const done = await sfi([...words, "--approve", digest!]);
    expect([done.code, done.stdout]).toEqual([0, "slot 2 was provisioned; check with `sfi hsm info`\n"]);
    expect(calls()).toEqual([
      [
        ...["-hsm", "-i", "2", "-k", at("key.bin"), "-n", at("nonce.bin"), "-id", "FW_A", "-mc", "2000"],
        ...["-pd", at("perso.enc.bin")],
      ],
    ]);
  });

  it("a tool that speaks of an error and ends with 0 has not provisioned anything", async () => {
    const { secrets } = jobFiles(temporaryFolder());
    const { tool } = vendorStandIn({ misbehavior: "fails" }, "STM32TrustedPackageCreator_CLI");
    const words = [
      "hsm",
      "provision",
      "--tool",
      tool.file,
      ...secrets,
      "--firmware-id",
      "FW_A",
      "--max",
      "9",
    ];
    const digest = /plan ([0-9a-f]{64})/.exec((await sfi(words)).stderr)?.[1];
    const result = await sfi([...words, "--approve", digest!, "--json"]);
    expect(errorOf(result.stdout)).toMatchObject({ code: "VENDOR_TOOL_FAILED", exit: 6 });
    expect(result.stdout).toContain("the HSM is locked");
  });

  it("names the personalization file of a certificate's product", async () => {
    const folder = temporaryFolder();
    const file = join(folder, "chip.bin");
    writeFileSync(file, sampleCertificate());
    const names = ["45002001_SFI._01000000_00000000.enc.bin", "47201003_SFI._01000000_00000000.enc.bin"];
    for (const name of [...names, "STM32H7_45002001_SFIA_01000000_00000000.enc.bin"]) {
      writeFileSync(join(folder, name), "");
    }
    const words = ["hsm", "suggest-personalization", file, "--packages", folder, "--json"];
    expect(JSON.parse((await sfi(words)).stdout)).toMatchObject({
      productId: "45002001",
      device: "STM32H74x/H75x",
      pattern: "45002001_SFI._*.enc.bin",
      files: ["45002001_SFI._01000000_00000000.enc.bin"],
    });
    const other = await sfi([...words, "--flow", "sfia"]);
    expect(JSON.parse(other.stdout)).toMatchObject({
      files: ["STM32H7_45002001_SFIA_01000000_00000000.enc.bin"],
    });
  });

  it("says what is missing where ST's tools are not installed", async () => {
    const result = await sfi(["hsm", "info", "--json"], { env: { PATH: "" } });
    expect([result.code, errorOf(result.stdout)["code"]]).toEqual([6, "VENDOR_TOOL_MISSING"]);
  });

  it("ST's own module can be looked at, not issued from", async () => {
    const { install } = jobFiles(temporaryFolder());
    const words = install.filter((word) => word !== "--development-license");
    const result = await sfi([
      ...words,
      "--probe",
      "virtual:h753",
      "--hsm",
      "stm32hsm=/x/libstp11_SAM.so",
      "--json",
    ]);
    expect([result.code, errorOf(result.stdout)["code"]]).toEqual([6, "HSM_ISSUE_NOT_PUBLIC"]);
  });
});

describe("parseHsmSelector", () => {
  it("reads its three forms", () => {
    expect(parseHsmSelector("slot=1")).toEqual({
      kind: "card",
      slot: 1,
      tool: undefined,
      firmwareId: undefined,
    });
    expect(parseHsmSelector("module=/a/b.so,token=line 1,serial=0f,firmware-id=FW")).toEqual({
      kind: "token",
      module: "/a/b.so",
      token: { label: "line 1", serial: "0f" },
      firmwareId: "FW",
    });
    expect(parseHsmSelector("stm32hsm=/a/b.so")).toEqual({ kind: "vendor-module", module: "/a/b.so" });
  });

  it.each([
    ["", /is no key=value/],
    ["slot", /is no key=value/],
    ["slot=", /is no key=value/],
    ["slot=one", /is no number/],
    ["slot=1,slot=2", /there twice/],
    ["slot=1,pin=1234", /pin does not belong there/],
    ["module=lib.so,token=x", /no absolute path/],
    ["module=/a.so,serial=1", /serial needs token/],
    ["token=x", /none of slot, module, stm32hsm/],
  ])("refuses %j", (text, message) => {
    expect(() => parseHsmSelector(text)).toThrow(message);
  });
});
