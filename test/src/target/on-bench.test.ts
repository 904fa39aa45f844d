import { afterEach, describe, expect, it } from "vitest";
import { openStlink } from "../../../drivers/stlink/probe.ts";
import { openVirtualBench, parseVirtualSelector, type VirtualBench } from "../../../drivers/virtual/bench.ts";
import { asciiText } from "../../../src/bytes/bytes.ts";
import { type ConnectOptions, connectDebug } from "../../../src/dap/connect.ts";
import { readCoreRegister, resetAndHalt } from "../../../src/dap/core.ts";
import { scanAps } from "../../../src/dap/scan-aps.ts";
import {
  eraseAll,
  eraseSectors,
  firstNotBlank,
  programFlash,
  verifyFlash,
} from "../../../src/target/flash.ts";
import { flashRanges } from "../../../src/target/flash-layout.ts";
import { identifyTarget } from "../../../src/target/identify.ts";
import {
  applyFields,
  defaultOptionBytes,
  differences,
  fieldValue,
} from "../../../src/target/option-bytes.ts";
import { readOptionBytes, writeOptionBytes } from "../../../src/target/option-controller.ts";
import { regress } from "../../../src/target/regress.ts";
import { readCertificate, readRssVersion } from "../../../src/target/rss.ts";
import { readSecurityState } from "../../../src/target/security.ts";
import { h7 } from "./h7.ts";

const open: VirtualBench[] = [];
afterEach(async () => {
  for (const bench of open.splice(0)) {
    expect(bench.violations()).toEqual([]);
    await bench.close();
  }
});

async function connected(selector: string, options: Partial<ConnectOptions> = {}) {
  const bench = await openVirtualBench(parseVirtualSelector(selector));
  open.push(bench);
  const { clock } = bench;
  const probe = await openStlink(bench.opener, clock);
  const session = await connectDebug(probe, clock, {
    mode: "normal",
    clockKilohertz: 8000,
    ap: 0,
    ...options,
  });
  const identity = await identifyTarget(session, [h7]);
  const usbTransfers = bench.transfers().count;
  return { bench, clock, probe, session, identity, usbTransfers, variant: identity.variant };
}

const selectors = ["virtual:h753", "virtual:h753,probe=v2-1"];
for (const selector of selectors) {
  describe(selector, () => {
    it("is identified within the budget of USB transfers", async () => {
      const { identity, usbTransfers } = await connected(selector);
      expect(identity).toMatchObject({
        deviceId: 0x450,
        revisionName: "V",
        flashSizeBytes: 0x200000,
        bootloaderVersion: 0x90,
        dpidr: 0x6ba02477,
        securityExtension: true,
        variant: { name: "STM32H753" },
      });
      expect(Buffer.from(identity.uid, "hex").toString("latin1")).toBe("VIRTUAL-H753");
      expect((identity.cpuid >>> 4) & 0xfff).toBe(0xc27);
      expect(usbTransfers).toBeLessThanOrEqual(60);
    });

    it("leaves the factory with the manifest's defaults", async () => {
      const { session, variant } = await connected(selector, { mode: "hot-plug" });
      const now = await readOptionBytes(session.memory(), h7, variant);
      expect(differences(h7, variant, defaultOptionBytes(h7, variant), now)).toEqual([]);
      expect(readSecurityState(h7, variant, now).text).toEqual(["RDP level 0: open", "security is off"]);
    });

    it("takes option bytes", async () => {
      const { session, clock, variant } = await connected(selector);
      const now = await readOptionBytes(session.memory(), h7, variant);
      const wanted = applyFields(h7, variant, now, { SECURITY: 1, BOR_LEV: 2, nWRP3: 0 });
      const { changed } = await writeOptionBytes(session, clock, h7, variant, wanted);
      expect([...changed].sort()).toEqual(["BOR_LEV", "SECURITY", "nWRP3"]);
      const cleared = applyFields(h7, variant, wanted, { SECURITY: 0 });
      await expect(writeOptionBytes(session, clock, h7, variant, cleared)).rejects.toThrow(/OPTCHANGEERR/);
    });

    it("is programmed, verified and erased", async () => {
      const { session, clock, variant, identity } = await connected(selector);
      const data = Uint8Array.from({ length: 100_001 }, (_, i) => (i * 31) & 0xff);
      await programFlash(session.memory(), clock, h7, 0x080f0000, data);
      await verifyFlash(session.memory(), 0x080f0000, data);
      await expect(programFlash(session.memory(), clock, h7, 0x081e0000, data.subarray(0, 64))).resolves.toBe(
        undefined,
      );
      const ranges = flashRanges(h7, variant, identity.flashSizeBytes);
      await eraseSectors(session.memory(), clock, h7, { address: 0x080f0000, sizeBytes: data.length });
      expect(await firstNotBlank(session.memory(), h7, ranges)).toBe(0x081e0000);
      await eraseAll(session.memory(), clock, h7, variant);
      expect(await firstNotBlank(session.memory(), h7, ranges)).toBe(undefined);
    });

    it("answers as RSS, with the same certificate each time", async () => {
      const { session, clock } = await connected(selector);
      const version = await readRssVersion(session, clock, h7);
      expect(version.major).toBeGreaterThan(0);
      const certificate = await readCertificate(session, clock, h7);
      expect(asciiText(certificate.subarray(0, 8))).toBe("45002001");
      expect(await readCertificate(session, clock, h7)).toEqual(certificate);
    });
  });
}

describe("virtual:h753", () => {
  it("is opened again from RDP level 1 with PCROP, security and a pending install", async () => {
    const { session, clock, variant, identity } = await connected("virtual:h753");
    await programFlash(session.memory(), clock, h7, 0x08000000, new Uint8Array(64).fill(1));
    const before = await readOptionBytes(session.memory(), h7, variant);
    const closed = applyFields(h7, variant, before, {
      SECURITY: 1,
      RSS1: 1,
      PROT_AREA_START1: 0x10,
      PROT_AREA_END1: 0x1f,
      RDP: 0xbb,
    });
    await writeOptionBytes(session, clock, h7, variant, closed);
    const wanted = defaultOptionBytes(h7, variant);
    const after = await regress(session, clock, h7, variant, wanted);
    expect(differences(h7, variant, wanted, after)).toEqual([]);
    const ranges = flashRanges(h7, variant, identity.flashSizeBytes);
    expect(await firstNotBlank(session.memory(), h7, ranges)).toBe(undefined);
  });

  it("connects in every mode, and stops at its reset vector under reset", async () => {
    for (const mode of ["normal", "hot-plug", "under-reset"] as const) {
      const { identity } = await connected("virtual:h753", { mode });
      expect(identity.deviceId).toBe(0x450);
    }
    const { session } = await connected("virtual:h753", { mode: "under-reset" });
    // LR after reset (Armv7-M B1.5.5); the core has not executed anything.
    expect(await readCoreRegister(session.memory(), 14)).toBe(0xffffffff);
  });

  it("is reset and halted, and reattached", async () => {
    const { session, clock } = await connected("virtual:h753");
    await resetAndHalt(session, clock);
    expect(await readCoreRegister(session.memory(), 14)).toBe(0xffffffff);
    await session.reattach({ timeoutMs: 1000 });
    expect(await session.memory().readWord(0x5c001000)).toBe(0x20036450);
  });

  it("shows its access ports", async () => {
    const { session } = await connected("virtual:h753", { mode: "hot-plug" });
    const found = await scanAps(session.port);
    expect(found.map(({ ap }) => ap)).toEqual([0, 1, 2]);
  });
});

describe("virtual:h743", () => {
  it("has no security extension, no SECURITY field and no RSS", async () => {
    const { session, clock, identity, variant } = await connected("virtual:h743");
    expect(identity).toMatchObject({ securityExtension: false, variant: { name: "STM32H742/743" } });
    const now = await readOptionBytes(session.memory(), h7, variant);
    expect(fieldValue(h7, variant, now, "SECURITY")).toBe(undefined);
    await expect(readRssVersion(session, clock, h7)).rejects.toMatchObject({ code: "RSS_SILENT" });
  });

  it("is not taken for a device that no data describes", async () => {
    const { session } = await connected("virtual:h743");
    const other = { ...h7, device: { ...h7.device, id: 0x451 } };
    await expect(identifyTarget(session, [other])).rejects.toMatchObject({
      code: "DEVICE_UNKNOWN",
      parameters: { deviceId: "0x450" },
    });
  });
});
