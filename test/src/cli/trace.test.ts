import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readTrace } from "../../../drivers/trace/read.ts";
import { toHex } from "../../../src/bytes/hex.ts";
import { busWriter, captureFile } from "../../drivers/trace/support/usbmon-writer.ts";
import { jobFiles } from "../../support/job-files.ts";
import { projectRoot } from "../../support/sample-job.ts";
import { sfi, sfiProgram, temporaryFolder } from "../../support/sfi.ts";

/** Synthetic: written by hand from public descriptions of the protocol, never on a wire. */
const golden = join(projectRoot, "test/fixtures/golden-v3.trace.ndjson");

const linesOf = (file: string) => readFileSync(file, "utf8").trimEnd().split("\n");

describe("--trace and replay:", () => {
  it.each([
    ["inspect", ["inspect", "--aps", "--rss"]],
    ["option bytes", ["options", "show"]],
    ["writing flash", ["flash", "erase", "--address", "0x08000000", "--size", "0x20000"]],
    ["regression", ["regress"]],
  ])("%s: the replay says the same", async (_, words) => {
    const cwd = temporaryFolder();
    const recorded = await sfi([...words, "--json", "--probe", "virtual:h753", "--trace", "t.ndjson"], {
      cwd,
    });
    expect(recorded.code, recorded.stderr).toBe(0);
    expect(statSync(join(cwd, "t.ndjson")).mode & 0o077).toBe(0);
    const replayed = await sfi([...words, "--json", "--probe", "replay:t.ndjson"], { cwd });
    expect(replayed.code, replayed.stderr).toBe(0);
    expect(replayed.stdout).toBe(recorded.stdout.replace("virtual:h753", "replay:t.ndjson"));
  });

  it("a whole install replays to the same proofs, and its trace holds no license", async () => {
    const cwd = temporaryFolder();
    const { install, at } = jobFiles(cwd);
    const trace = at("t.ndjson");
    const recorded = await sfi([...install, "--json", "--probe", "virtual:h753", "--trace", trace], { cwd });
    expect(recorded.code, recorded.stderr).toBe(0);
    const [name] = readdirSync(at("licenses")).filter((file) => file.endsWith(".license"));
    const license = readFileSync(join(at("licenses"), name!)).subarray(0, 136);
    const text = readFileSync(trace, "utf8");
    // Its first 24 bytes are a fixed head; from there on it is this chip's own.
    for (let i = 24; i + 4 <= license.length; i++) {
      expect(text).not.toContain(toHex(license.subarray(i, i + 4)));
    }
    const phases = new Set(
      linesOf(trace)
        .slice(1)
        .map((line) => JSON.parse(line).phase),
    );
    expect([...phases]).toEqual(
      expect.arrayContaining(["planned", "licensed", "staged", "settling", "verifying"]),
    );

    const replayed = await sfi([...install, "--json", "--probe", `replay:${trace}`], { cwd });
    expect(replayed.code, replayed.stderr).toBe(0);
    const end = (stdout: string) => JSON.parse(stdout.trimEnd().split("\n").at(-1)!);
    expect(end(replayed.stdout)).toMatchObject({
      outcome: "installed",
      proofs: end(recorded.stdout).proofs,
      durationMs: end(recorded.stdout).durationMs,
    });
  });

  it("another command than the recorded one is a mismatch with exit code 4", async () => {
    const cwd = temporaryFolder();
    await sfi(["inspect", "--probe", "virtual:h753", "--trace", "t.ndjson"], { cwd });
    const other = await sfi(["inspect", "--rss", "--json", "--probe", "replay:t.ndjson"], { cwd });
    expect(other.code).toBe(4);
    expect(JSON.parse(other.stdout)).toMatchObject({ code: "REPLAY_MISMATCH" });
    const shorter = await sfi(
      ["options", "show", "--json", "--probe", "replay:t.ndjson", "--clock", "8000"],
      { cwd },
    );
    expect(shorter.code).toBe(4);
  });

  it("never replaces a trace, and refuses a file that is none", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "t.ndjson"), "keep me\n");
    const taken = await sfi(["inspect", "--json", "--probe", "virtual:h753", "--trace", "t.ndjson"], { cwd });
    expect(JSON.parse(taken.stdout)).toMatchObject({ code: "OUTPUT_UNWRITABLE", exit: 2 });
    expect(readFileSync(join(cwd, "t.ndjson"), "utf8")).toBe("keep me\n");
    const codeOf = async (probe: string) =>
      JSON.parse((await sfi(["inspect", "--json", "--probe", probe], { cwd })).stdout).code;
    expect(await codeOf("replay:t.ndjson")).toBe("TRACE_INVALID");
    expect(await codeOf("replay:missing.ndjson")).toBe("FILE_UNREADABLE");
    expect(await codeOf("replay:")).toBe("SELECTOR_INVALID");
  });

  it.skipIf(process.platform === "win32")(
    "a full disk ends the trace with a warning, not the job",
    async () => {
      const cwd = temporaryFolder();
      // Files may have 1 or 2 blocks of 512 bytes, depending on the shell; a trace of an inspection has more.
      const command = `trap '' XFSZ; ulimit -f 2; exec "$0" "$@"`;
      const words = [sfiProgram, "inspect", "--probe", "virtual:h753", "--trace", "t.ndjson"];
      const { status, stdout, stderr } = spawnSync("sh", ["-c", command, process.execPath, ...words], {
        cwd,
        encoding: "utf8",
      });
      expect(status, stderr).toBe(0);
      expect(stdout).toContain("STM32H7");
      expect(stderr.match(/^warning: trace .*t\.ndjson is not complete: E/gm)).toHaveLength(1);
      expect(linesOf(join(cwd, "t.ndjson")).length).toBeGreaterThan(2);
    },
  );

  it("several probes at once leave a trace each", async () => {
    const cwd = temporaryFolder();
    const { install } = jobFiles(cwd);
    const probes = ["--probe", "virtual:h753", "--probe", "virtual:h753,uid=00112233445566778899aabb"];
    const { code, stderr } = await sfi([...install, ...probes, "--trace", "t.ndjson"], { cwd });
    expect(code, stderr).toBe(0);
    expect(readdirSync(cwd).filter((name) => name.startsWith("t."))).toEqual(["t.1.ndjson", "t.2.ndjson"]);
    const selectors = ["t.1.ndjson", "t.2.ndjson"].map(
      (name) => JSON.parse(linesOf(join(cwd, name))[0]!).attachment.selector,
    );
    expect(selectors).toEqual([probes[1], probes[3]]);
  });
});

describe("sfi trace", () => {
  it("convert makes a usbmon capture into a trace that replays, with secrets taken out", async () => {
    const cwd = temporaryFolder();
    const recorded = await sfi(["inspect", "--json", "--probe", "virtual:h753", "--trace", "t.ndjson"], {
      cwd,
    });
    const trace = await readTrace([readFileSync(join(cwd, "t.ndjson"))], "t.ndjson");
    const bus = busWriter();
    for (const { op, data, size } of trace.records) {
      if (op === "send") bus.out(7, 1, data!);
      if (op === "receive") bus.in(7, 0x81, size!, data!);
    }
    writeFileSync(join(cwd, "bus.pcapng"), captureFile(bus.packets, { format: "pcapng" }));
    const converted = await sfi(["trace", "convert", "bus.pcapng", "--out", "c.ndjson"], { cwd });
    expect(converted.code, converted.stderr).toBe(0);
    const replayed = await sfi(["inspect", "--json", "--probe", "replay:c.ndjson"], { cwd });
    expect(replayed.code, replayed.stderr).toBe(0);
    expect(JSON.parse(replayed.stdout).target).toEqual(JSON.parse(recorded.stdout).target);

    const read = trace.records.filter(({ op, data }) => op === "receive" && data!.length >= 40).at(-1)!;
    const secret = read.data!.subarray(0, 16);
    writeFileSync(join(cwd, "secret.bin"), secret, { mode: 0o600 });
    await sfi(["trace", "convert", "bus.pcapng", "--out", "h.ndjson", "--hide", "secret.bin"], { cwd });
    expect(readFileSync(join(cwd, "c.ndjson"), "utf8")).toContain(toHex(secret));
    expect(readFileSync(join(cwd, "h.ndjson"), "utf8")).not.toContain(toHex(secret));
  });

  it("show lists a capture's probes with their endpoints, and asks which one to convert", async () => {
    const cwd = temporaryFolder();
    const bus = busWriter();
    for (const device of [7, 9]) {
      bus.out(
        device,
        2,
        Uint8Array.from({ length: 16 }, (_, i) => (i === 0 ? 0xf1 : 0)),
      );
      bus.in(device, 0x81, 6, Uint8Array.of(0x2b, 0x47, 0x83, 0x04, 0x48, 0x37));
    }
    writeFileSync(join(cwd, "bus.pcap"), captureFile(bus.packets));
    const shown = await sfi(["trace", "show", "bus.pcap"], { cwd });
    expect(shown.stdout).toBe(
      [
        "usbmon:1.7  0x0483:0x3748  OUT 0x02 IN 0x81",
        "-- capture",
        "     1     0.000  GET_VERSION  -> version=V2 J45 S/M7 usb=0483:3748",
        "usbmon:1.9  0x0483:0x3748  OUT 0x02 IN 0x81",
        "-- capture",
        "     1     0.000  GET_VERSION  -> version=V2 J45 S/M7 usb=0483:3748",
        "",
      ].join("\n"),
    );
    const refused = await sfi(["trace", "convert", "bus.pcap", "--out", "c.ndjson", "--json"], { cwd });
    expect(refused.code).toBe(2);
    expect(refused.stdout).toContain("1.7, 1.9");
    const chosen = await sfi(["trace", "convert", "bus.pcap", "--out", "c.ndjson", "--device", "1.9"], {
      cwd,
    });
    expect(chosen.code, chosen.stderr).toBe(0);
  });

  it("show gives the same entries as JSON", async () => {
    const { stdout } = await sfi(["trace", "show", golden, "--json"]);
    const { format, probes } = JSON.parse(stdout);
    expect(format).toBe("trace");
    expect(probes).toHaveLength(1);
    expect(probes[0].entries[11]).toEqual({
      n: 22,
      transfers: 2,
      t: 2.625,
      phase: "golden",
      command: "READ_DAP_REG",
      arguments: { port: "0xFFFF", register: "0x0000" },
      status: "OK",
      reply: { value: "0x0BE12477" },
      meaning: ["DP read DPIDR = 0x0BE12477"],
    });
  });

  it("show of the golden trace (synthetic)", async () => {
    const { code, stdout } = await sfi(["trace", "show", golden]);
    expect(code).toBe(0);
    expect(stdout).toMatchInlineSnapshot(`
      "virtual:golden  0x0483:0x374F  57FF72067265575742132067
      -- golden
           1     0.000  open
           2     0.125  GET_CURRENT_MODE  -> mode=massStorage
           4     0.375  GET_VERSION  -> version=V3 J0 S/M0 usb=0483:374F
           6     0.625  GET_VERSION_EX  -> version=V3 J15 M6 B5 P0 S1 usb=0483:374F
           8     0.875  GET_TARGET_VOLTAGE  -> millivolts=3560
          10     1.125  SWITCH_STLINK_FREQ prescaler=1  -> CONF_CHANGED
          12     1.375  GET_COM_FREQ com=0  -> OK kilohertz=3300 rates=7
          14     1.625  SET_COM_FREQ com=0 kilohertz=24000  -> OK kilohertz=24000
          16     1.875  ENTER how=0xA3  -> OK protocol=SWD
          18     2.125  GET_CURRENT_MODE  -> mode=debug
          20     2.375  READ_IDCODES  -> OK value=0x0BE12477
                          DP read DPIDR = 0x0BE12477
          22     2.625  READ_DAP_REG port=0xFFFF register=0x0000  -> OK value=0x0BE12477
                          DP read DPIDR = 0x0BE12477
          24     2.875  WRITE_DAP_REG port=0xFFFF register=0x0000 value=0x0000001E  -> OK
                          DP write ABORT = 0x0000001E (ORUNERRCLR WDERRCLR STKERRCLR STKCMPCLR)
          26     3.125  WRITE_DAP_REG port=0xFFFF register=0x0004 value=0x50000000  -> OK
                          DP write CTRL/STAT = 0x50000000 (CSYSPWRUPREQ CDBGPWRUPREQ)
          28     3.375  READ_DAP_REG port=0xFFFF register=0x0004  -> OK value=0xF0000000
                          DP read CTRL/STAT = 0xF0000000 (CSYSPWRUPACK CSYSPWRUPREQ CDBGPWRUPACK CDBGPWRUPREQ)
          30     3.625  INIT_AP ap=0  -> OK
          32     3.875  READ_DAP_REG port=0x0000 register=0x00FC  -> OK value=0x14770005
                          AP0 read IDR = 0x14770005
          34     4.125  READMEM_32 address=0xE000ED00 size=4 ap=0
                          AP0 read CPUID (0xE000ED00) = 0x410FD214
          36     4.375  GETLASTRWSTATUS2  -> OK
          38     4.625  WRITEMEM_32 address=0x20000000 size=512 ap=0
                          AP0 write 512 bytes at 0x20000000: 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f …
          40     4.875  GETLASTRWSTATUS2  -> OK
          42     5.125  WRITEMEM_32 address=0x30000000 size=512 ap=1 csw31_8=0xAB0000
                          AP1 write 512 bytes at 0x30000000, CSW 0xAB000000: 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f …
          44     5.375  GETLASTRWSTATUS2  -> OK
          46     5.625  READMEM_32 address=0x30000000 size=64 ap=1 csw31_8=0x430000
                          AP1 read 64 bytes at 0x30000000, CSW 0x43000000: 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f …
          48     5.875  GETLASTRWSTATUS2  -> OK
          50     6.125  READDEBUGREG address=0xE000ED00 ap=0  -> OK value=0x410FD214
                          AP0 read CPUID (0xE000ED00) = 0x410FD214
          52     6.375  WRITEDEBUGREG address=0xE000EDF0 value=0xA05F0003 ap=0  -> OK
                          AP0 write DHCSR (0xE000EDF0) = 0xA05F0003 (C_HALT C_DEBUGEN)
          54     6.625  RW_MISC_GET_MAX  -> operations=1227
          56     6.875  RW_MISC_OUT operations=5
                          AP0 write DHCSR (0xE000EDF0) = 0xA05F0003 (C_HALT C_DEBUGEN)
          58     7.125  RW_MISC_IN
                          AP0 read CPUID (0xE000ED00) = 0x410FD214
                          AP0 read DHCSR (0xE000EDF0) = 0x00030003 (S_HALT S_REGRDY C_HALT C_DEBUGEN)
          60     7.375  READMEM_32 address=0x20100000 size=16 ap=0
                          AP0 read 16 bytes at 0x20100000: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
          62     7.625  GETLASTRWSTATUS2  -> AP_FAULT (0x11) faultAddress=0x20100000
                          the memory access before this failed; bytes it read mean nothing
          64     7.875  WRITE_DAP_REG port=0xFFFF register=0x0000 value=0x0000001E  -> OK
                          DP write ABORT = 0x0000001E (ORUNERRCLR WDERRCLR STKERRCLR STKCMPCLR)
          66     8.125  READMEM_32 address=0xE000ED00 size=4 ap=0
                          AP0 read CPUID (0xE000ED00) = 0x00000000
          68     8.375  GETLASTRWSTATUS2  -> AP_WAIT (0x10)
                          the memory access before this failed; bytes it read mean nothing
          70     8.625  READMEM_32 address=0xE000ED00 size=4 ap=0
                          AP0 read CPUID (0xE000ED00) = 0x410FD214
          72     8.875  GETLASTRWSTATUS2  -> OK
          74     9.125  CLOSE_AP ap=0  -> OK
          76     9.375  LEAVE_DEBUG
          77     9.375  close
      "
    `);
  });
});
