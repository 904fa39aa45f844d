import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { jobFiles } from "../../support/job-files.ts";
import { sampleJob } from "../../support/sample-job.ts";
import { sfi, temporaryFolder } from "../../support/sfi.ts";

/** Runs a command and expects one named error, on stdout as JSON and on stderr for people. */
async function expectError(words: readonly string[], code: string, exit: number) {
  const result = await sfi([...words, "--json"]);
  const lines = result.stdout.trim().split("\n");
  const error = lines.map((line) => JSON.parse(line)).find((each) => each.code !== undefined);
  expect(error, result.stderr).toMatchObject({ code, exit, licenseSpent: false });
  expect(result.code).toBe(exit);
  return error as { readonly code: string; readonly message: string; readonly disposition: string };
}

const build = (folder: string, at: (name: string) => string, secrets: readonly string[]) => [
  ...["package", "build", "--device", "0x450", "--firmware", `${at("firmware.bin")}@0x08000000`, ...secrets],
  ...["--options", at("options.csv"), "--out", `${folder}/out.sfi`],
];

describe("bad input, each with its own name", () => {
  it("unknown command, unknown option, missing action", async () => {
    await expectError(["frobnicate"], "USAGE_INVALID", 2);
    await expectError(["list", "--frobnicate"], "USAGE_INVALID", 2);
    await expectError(["package", "frobnicate", "x"], "USAGE_INVALID", 2);
    await expectError([], "USAGE_INVALID", 2);
  });

  it("a selector that is none, a chip that is none", async () => {
    await expectError(["inspect", "--probe", "jlink:1"], "SELECTOR_INVALID", 2);
    await expectError(["inspect", "--probe", "virtual:z80"], "CHIP_UNKNOWN", 2);
  });

  it("no probe attached", async () => {
    await expectError(["inspect", "--probe", "usb:0123456789ABCDEF01234567"], "PROBE_NOT_FOUND", 3);
  });

  it("files that are not there or not to be written", async () => {
    const folder = temporaryFolder();
    const { at, secrets } = jobFiles(folder);
    await expectError(["package", "inspect", at("none.sfi")], "FILE_UNREADABLE", 4);
    await expectError(["package", "inspect", folder], "FILE_UNREADABLE", 4);
    const words = build(folder, at, secrets);
    await expectError([...words.slice(0, -1), `${folder}/none/out.sfi`], "OUTPUT_UNWRITABLE", 2);
  });

  it("key and nonce: length, and readable by others", async () => {
    const folder = temporaryFolder();
    const { at, secrets } = jobFiles(folder);
    chmodSync(at("key.bin"), 0o644);
    await expectError(build(folder, at, secrets), "KEY_FILE_EXPOSED", 4);
    chmodSync(at("key.bin"), 0o600);
    writeFileSync(at("key.bin"), new Uint8Array(15));
    const error = await expectError(build(folder, at, secrets), "KEY_LENGTH", 4);
    expect(error.message).toContain("15 bytes");
    writeFileSync(at("key.bin"), new Uint8Array(16));
    writeFileSync(at("nonce.bin"), new Uint8Array(13));
    await expectError(build(folder, at, secrets), "KEY_LENGTH", 4);
  });

  it("CSV: missing, extra, reordered, not hexadecimal", async () => {
    const folder = temporaryFolder();
    const { at, secrets } = jobFiles(folder);
    const lines = readFileSync(at("options.csv"), "utf8").trimEnd().split("\n");
    const variants = [
      lines.slice(0, -1),
      [...lines, "MORE,0x00000000"],
      [lines[1]!, lines[0]!, ...lines.slice(2)],
      [lines[0]!.replace(/0x.*/, "0xXYZ"), ...lines.slice(1)],
    ];
    for (const variant of variants) {
      writeFileSync(at("options.csv"), `${variant.join("\n")}\n`);
      await expectError(build(folder, at, secrets), "OPTION_CSV_INVALID", 4);
    }
  });

  it("firmware: no address, outside flash, damaged", async () => {
    const folder = temporaryFolder();
    const { at, secrets } = jobFiles(folder);
    const words = build(folder, at, secrets);
    const withFirmware = (text: string) =>
      words.map((word, i) => (words[i - 1] === "--firmware" ? text : word));
    await expectError(withFirmware(at("firmware.bin")), "FIRMWARE_ADDRESS_MISSING", 4);
    await expectError(withFirmware(`${at("firmware.bin")}@0x20000000`), "FIRMWARE_OUTSIDE_FLASH", 4);
    writeFileSync(at("bad.hex"), ":10000000FF\n");
    await expectError(withFirmware(at("bad.hex")), "FIRMWARE_INVALID", 4);
  });

  it("a package that is truncated, changed, out of order, of another protocol", async () => {
    const folder = temporaryFolder();
    const { at, install } = jobFiles(folder);
    const virtual = [...install, "--probe", "virtual:h753"];
    const { bytes } = sampleJob();
    const write = (changed: Uint8Array) => writeFileSync(at("job.sfi"), changed);
    write(bytes.subarray(0, bytes.length - 1));
    await expectError(virtual, "PACKAGE_CORRUPT", 4);
    const flipped = Uint8Array.from(bytes);
    flipped[100]! ^= 1;
    write(flipped);
    await expectError(virtual, "PACKAGE_TAG_WRONG", 4);
    const protocol2 = Uint8Array.from(bytes);
    protocol2[8] = 2;
    write(protocol2);
    const withoutKey = virtual.filter(
      (word, i) =>
        !["--key", "--nonce"].includes(word) && !["--key", "--nonce"].includes(virtual[i - 1] ?? ""),
    );
    const license = withoutKey.map((word) => (word === "--development-license" ? "--license" : word));
    writeFileSync(at("lic.bin"), new Uint8Array(136), { mode: 0o600 });
    const words = license.flatMap((word) => (word === "--license" ? [word, at("lic.bin")] : [word]));
    await expectError(words, "PACKAGE_PROTOCOL", 4);
  });

  it("licenses: none, wrong length, genuine on a virtual chip", async () => {
    const folder = temporaryFolder();
    const { at, folders } = jobFiles(folder);
    const words = [
      "install",
      "--probe",
      "virtual:h753",
      "--package",
      at("job.sfi"),
      "--expect",
      at("options.csv"),
      ...folders,
    ];
    await expectError(words, "LICENSE_MISSING", 6);
    writeFileSync(at("lic.bin"), new Uint8Array(100), { mode: 0o600 });
    await expectError([...words, "--license", at("lic.bin")], "LICENSE_LENGTH", 6);
    writeFileSync(at("lic.bin"), new Uint8Array(136), { mode: 0o600 });
    await expectError([...words, "--license", at("lic.bin")], "LICENSE_GENUINE_ON_VIRTUAL", 6);
  });
});
