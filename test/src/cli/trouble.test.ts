import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { jobFiles } from "../../support/job-files.ts";
import { sampleJob } from "../../support/sample-job.ts";
import { licenseFiles, type SfiResult, sfi, temporaryFolder } from "../../support/sfi.ts";

interface RunEnd {
  readonly outcome: string;
  readonly exit: number;
  readonly licenseSpent: boolean;
}

/** The last event of a run, and its error. */
function endOf(result: SfiResult) {
  const events = result.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  return {
    end: events.at(-1) as RunEnd & { readonly event: string },
    error: events.find(({ event }) => event === "error"),
    warnings: events.filter(({ event }) => event === "warning"),
    license: events.filter(({ event }) => event === "license"),
  };
}

/** An install that must be refused with a named error before a license was touched and before anything was written. */
async function expectRefused(words: readonly string[], code: string, exit: number) {
  const result = await sfi([...words, "--json"]);
  const { end, error, license } = endOf(result);
  expect(end, result.stderr).toMatchObject({
    event: "run_end",
    outcome: "refused",
    exit,
    licenseSpent: false,
  });
  expect(error).toMatchObject({ code, exit, disposition: "untouched" });
  expect(license).toEqual([]);
  expect(result.code).toBe(exit);
}

function faults(folder: string, ...list: readonly object[]): string {
  const file = join(folder, "faults.json");
  writeFileSync(file, JSON.stringify({ schema: 1, faults: list }));
  return file;
}

describe("trouble at the bench, each with its own name", () => {
  it.each([
    ["unpowered target", [{ kind: "unpowered" }], "TARGET_UNPOWERED", 3],
    ["no answer on the wire", [{ kind: "no-answer" }], "TARGET_NO_ANSWER", 3],
    ["probe in use", [{ kind: "busy" }], "PROBE_BUSY", 3],
    ["no permission", [{ kind: "permission" }], "USB_PERMISSION", 3],
    [
      "probe unplugged while connecting",
      [{ at: { state: "planned", transfer: 9 }, kind: "disconnect" }],
      "PROBE_LOST",
      3,
    ],
    [
      "silent probe",
      [
        { at: { state: "planned", transfer: 6 }, kind: "timeout" },
        { at: { state: "planned", transfer: 8 }, kind: "timeout" },
        { at: { state: "planned", transfer: 9 }, kind: "disconnect" },
      ],
      "PROBE_LOST",
      3,
    ],
  ] as const)("%s", async (_, list, code, exit) => {
    const folder = temporaryFolder();
    const { install } = jobFiles(folder);
    await expectRefused([...install, "--probe", `virtual:h753,fault=${faults(folder, ...list)}`], code, exit);
  });

  it.each([
    ["v2-j17", "PROBE_FIRMWARE_OLD"],
    ["v2-j28", "PROBE_FIRMWARE_OLD"],
    ["v3-j7", "PROBE_FIRMWARE_OLD"],
  ] as const)("probe firmware of %s", async (personality, code) => {
    const folder = temporaryFolder();
    const { install } = jobFiles(folder);
    await expectRefused([...install, "--probe", `virtual:h753,probe=${personality}`], code, 3);
  });

  it("wrong device, and a device without security extension", async () => {
    const folder = temporaryFolder();
    const { install } = jobFiles(folder);
    await expectRefused([...install, "--probe", "virtual:h743"], "DEVICE_NO_SECURITY", 5);
    const result = await sfi([...install, "--probe", "virtual:h753", "--device", "0x4FF", "--json"]);
    expect(JSON.parse(result.stdout)).toMatchObject({ code: "DEVICE_UNKNOWN", exit: 5 });
  });

  it("a part that is not as it must be: RDP 1 and 2, PCROP, write protection, flash not erased", async () => {
    const states: readonly (readonly [readonly string[], string])[] = [
      [["options", "set", "RDP=0xBB"], "READOUT_PROTECTED"],
      [["options", "set", "PROT_AREA_START1=0x10", "PROT_AREA_END1=0x20"], "PROTECTION_ACTIVE"],
      [["options", "set", "nWRP3=0"], "PROTECTION_ACTIVE"],
      [["flash", "write", "--file", "firmware.bin@0x08100000"], "FLASH_NOT_BLANK"],
    ];
    for (const [words, code] of states) {
      const folder = temporaryFolder();
      const { install } = jobFiles(folder);
      const probe = ["--probe", "virtual:h753,state=chip.state"];
      const prepared = await sfi([...words, ...probe], { cwd: folder });
      expect(prepared.code, prepared.stderr).toBe(0);
      const result = await sfi([...install, ...probe, "--json"], { cwd: folder });
      const { end, error, license } = endOf(result);
      expect(error, words.join(" ")).toMatchObject({
        code,
        exit: 5,
        disposition: "untouched",
        licenseSpent: false,
      });
      expect(end).toMatchObject({ outcome: "refused", exit: 5 });
      expect(license).toEqual([]);
    }
  });

  it("RDP level 2 is closed for good: no answer, nothing spent", async () => {
    const folder = temporaryFolder();
    const { install } = jobFiles(folder);
    const probe = ["--probe", "virtual:h753,state=chip.state"];
    await sfi(["options", "set", "RDP=0xCC", ...probe], { cwd: folder });
    const result = await sfi([...install, ...probe, "--json"], { cwd: folder });
    const { end, error } = endOf(result);
    expect(end).toMatchObject({ outcome: "refused", licenseSpent: false });
    expect(["TARGET_NO_ANSWER", "READOUT_PROTECTED"]).toContain(error.code);
    const regress = await sfi(["regress", ...probe, "--json"], { cwd: folder });
    expect(regress.code).not.toBe(0);
  });

  it("several findings are all told, under one name", async () => {
    const folder = temporaryFolder();
    const { install } = jobFiles(folder);
    const probe = ["--probe", "virtual:h753,state=chip.state"];
    await sfi(["options", "set", "nWRP3=0", "PROT_AREA_START2=0", "PROT_AREA_END2=1", ...probe], {
      cwd: folder,
    });
    const { error, warnings } = endOf(await sfi([...install, ...probe, "--json"], { cwd: folder }));
    expect(error).toMatchObject({ code: "PREFLIGHT_FAILED", exit: 5 });
    expect(warnings.filter(({ finding }) => finding?.code === "PROTECTION_ACTIVE")).toHaveLength(2);
  });

  it("a license for another chip: RSS refuses it, the part is opened again, and the name says so", async () => {
    const folder = temporaryFolder();
    const { at, secrets, folders } = jobFiles(folder);
    const other = "virtual:h753,uid=0102030405060708090a0b0c";
    expect((await sfi(["certificate", "read", "--probe", other, "--out", at("cert.bin")])).code).toBe(0);
    const issue = [
      "license",
      "issue",
      "--development",
      "--certificate",
      at("cert.bin"),
      ...secrets,
      "--out",
      at("lic.bin"),
    ];
    expect((await sfi(issue)).code).toBe(0);
    const words = [
      "install",
      "--package",
      at("job.sfi"),
      "--license",
      at("lic.bin"),
      "--expect",
      at("options.csv"),
      ...folders,
    ];
    const { end, error } = endOf(await sfi([...words, "--probe", "virtual:h753", "--json"]));
    expect(end).toMatchObject({ outcome: "failed", exit: 7 });
    expect(error).toMatchObject({ code: "RSS_REJECTED", disposition: "spent", retry: "same-license" });
  });
});

describe("a run and its records", () => {
  it("SIGKILL at places all along the run: the journal verifies and resume ends in PASS with one license", async () => {
    const places = [
      { at: { state: "planned", transfer: 20 } },
      { at: { state: "inspected", transfer: 700 } },
      { at: { state: "certified", transfer: 6 } },
      { at: { state: "armed", transfer: 4 } },
      { at: { state: "licensed", transfer: 5 } },
      { at: { state: "staged", transfer: 10 } },
      { at: { state: "staged", transfer: 30 } },
      { at: { state: "detached", transfer: 2 } },
      { at: { state: "settling", transfer: 3 } },
      { at: { state: "verifying", transfer: 5 } },
    ];
    for (const place of places) {
      const folder = temporaryFolder();
      const { install, at } = jobFiles(folder);
      const fault = faults(folder, { ...place, kind: "kill" });
      const killed = await sfi([
        ...install,
        "--probe",
        `virtual:h753,state=${at("chip.state")},fault=${fault}`,
      ]);
      expect(killed.signal, JSON.stringify(place)).toBe("SIGKILL");
      const journal = at(`runs/${readdirSync(at("runs")).find((name) => name.endsWith(".ndjson"))}`);
      const verified = await sfi(["journal", "verify", journal, "--json"]);
      expect(JSON.parse(verified.stdout)).toMatchObject({ verified: true, ended: false });
      const probe = ["--probe", `virtual:h753,state=${at("chip.state")}`];
      const { end } = endOf(await sfi(["resume", journal, ...probe, "--log-dir", at("runs2"), "--json"]));
      expect(end, JSON.stringify(place)).toMatchObject({ outcome: "installed", exit: 0 });
      expect(licenseFiles(at("licenses"))).toHaveLength(1);
    }
  });

  it("the same board again: refused as not blank, and no second license", async () => {
    const folder = temporaryFolder();
    const { install, at } = jobFiles(folder);
    const probe = ["--probe", `virtual:h753,state=${at("chip.state")}`];
    expect((await sfi([...install, ...probe])).code).toBe(0);
    const license = readFileSync(at(`licenses/${licenseFiles(at("licenses"))[0]}`));
    const { end, error } = endOf(await sfi([...install, ...probe, "--json"]));
    expect(end).toMatchObject({ outcome: "refused", exit: 5, licenseSpent: false });
    expect(error.code).toBe("FLASH_NOT_BLANK");
    // abort opens the part; then the stored license is used again.
    expect((await sfi(["abort", ...probe])).code).toBe(0);
    expect((await sfi([...install, ...probe])).code).toBe(0);
    expect(licenseFiles(at("licenses"))).toHaveLength(1);
    expect(readFileSync(at(`licenses/${licenseFiles(at("licenses"))[0]}`))).toEqual(license);
  });

  it("resume refuses another chip, another package, and a run that has ended", async () => {
    const folder = temporaryFolder();
    const { install, at } = jobFiles(folder);
    const fault = faults(folder, { at: { state: "staged", transfer: 30 }, kind: "kill" });
    await sfi([...install, "--probe", `virtual:h753,state=${at("chip.state")},fault=${fault}`]);
    const journal = at(`runs/${readdirSync(at("runs")).find((name) => name.endsWith(".ndjson"))}`);
    const other = [
      "--probe",
      "virtual:h753,uid=0102030405060708090a0b0c",
      "--log-dir",
      at("runs2"),
      "--json",
    ];
    const { error } = endOf(await sfi(["resume", journal, ...other]));
    expect(error).toMatchObject({ code: "RESUME_OTHER_CHIP", exit: 5 });
    writeFileSync(at("job.sfi"), sampleJob({ optionFields: { BOR_LEV: 1 } }).bytes);
    const changed = await sfi(["resume", journal, "--json"]);
    expect(JSON.parse(changed.stdout).code).toMatch(/RESUME_INPUT_CHANGED|EXPECTATION_INVALID/);
    const done = temporaryFolder();
    const second = jobFiles(done);
    expect((await sfi([...second.install, "--probe", "virtual:h753"])).code).toBe(0);
    const ended = second.at(
      `runs/${readdirSync(second.at("runs")).find((name) => name.endsWith(".ndjson"))}`,
    );
    expect(JSON.parse((await sfi(["resume", ended, "--json"])).stdout)).toMatchObject({
      code: "NOTHING_TO_RESUME",
    });
  });

  it("an edited journal and an edited report are noticed", async () => {
    const folder = temporaryFolder();
    const { install, at } = jobFiles(folder);
    expect((await sfi([...install, "--probe", "virtual:h753"])).code).toBe(0);
    const names = readdirSync(at("runs"));
    const journal = at(`runs/${names.find((name) => name.endsWith(".ndjson"))}`);
    const report = at(`runs/${names.find((name) => name.endsWith(".report.json"))}`);
    expect((await sfi(["report", "verify", report])).code).toBe(0);
    const text = readFileSync(report, "utf8");
    writeFileSync(report, text.replace('"licenseSpent": false', '"licenseSpent": true'));
    expect((await sfi(["report", "verify", report])).code).toBe(4);
    writeFileSync(report, text);
    writeFileSync(journal, readFileSync(journal, "utf8").replace('"installed"', '"refused"'));
    expect((await sfi(["journal", "verify", journal])).code).toBe(4);
    expect((await sfi(["report", "verify", report])).code).toBe(4);
  });

  it("several sites at once: common exit code, or 9 when they differ; events carry the site", async () => {
    const folder = temporaryFolder();
    const { install } = jobFiles(folder);
    const two = ["--probe", "virtual:h753", "--probe", "virtual:h753,uid=0102030405060708090a0b0c"];
    const same = await sfi([...install, ...two, "--json"]);
    expect(same.code, same.stderr).toBe(0);
    const ends = same.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
      .filter(({ event }) => event === "run_end");
    expect(ends.map(({ site }) => site).sort()).toEqual(["1", "2"]);
    const mixed = await sfi([...install, "--probe", "virtual:h753", "--probe", "virtual:h743", "--json"]);
    expect(mixed.code).toBe(9);
  });
});
