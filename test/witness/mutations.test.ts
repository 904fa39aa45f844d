import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { hasProgram, run, umockdevAvailable } from "../drivers/virtual/usb/support/usb-bench.ts";
import { sampleFirmware } from "../support/sample-job.ts";
import { temporaryFolder } from "../support/sfi.ts";
import { expectProbeAndCore, expectProbeInfo } from "./support/claims.ts";
import { openocd, type Transport, transports } from "./support/openocd.ts";
import { opcode, type Tampering } from "./support/tampering.ts";
import { witnessBench } from "./support/witness-bench.ts";

const serial = "0000000000000000000000AA";

/** Mistakes that a virtual probe could have and that this project's own two halves might agree on. */
const mutations = {
  /** ENTER answers its status in the second byte. */
  swappedStatus: {
    reply: (bytes, command) =>
      opcode(command) === "F230" ? Uint8Array.of(bytes[1] ?? 0, bytes[0] ?? 0) : bytes,
  },
  /** READDEBUGREG answers the value first and the status behind it. */
  statusBehindValue: {
    reply: (bytes, command) =>
      opcode(command) === "F236" ? Uint8Array.of(...bytes.subarray(4), ...bytes.subarray(0, 4)) : bytes,
  },
  /** GET_TARGET_VOLTAGE gives the target's voltage instead of half of it. */
  wrongVoltage: {
    reply: (bytes, command) => {
      if (opcode(command) !== "F7") return bytes;
      const wrong = bytes.slice();
      const view = new DataView(wrong.buffer);
      view.setUint32(4, 2 * view.getUint32(4, true), true);
      return wrong;
    },
  },
  /** WRITEMEM_32 leaves out the last word of a block, and says it was good. */
  shortBlock: {
    command: (block) => {
      const sizeBytes = new DataView(block.buffer, block.byteOffset).getUint16(6, true);
      if (opcode(block) !== "F208" || sizeBytes <= 4) return block;
      const shorter = block.slice();
      new DataView(shorter.buffer).setUint16(6, sizeBytes - 4, true);
      return shorter;
    },
    data: (data, command) => (opcode(command) === "F208" && data.length > 4 ? data.slice(0, -4) : data),
  },
} as const satisfies Record<string, Tampering>;

/** Loads and dumps RAM as the witness of the same name does. @returns whether the bytes came back */
async function ramComesBack(transport: Transport, mutation: Tampering): Promise<boolean> {
  const { bus } = await witnessBench({ mutation });
  const folder = temporaryFolder();
  const [loaded, dumped] = [join(folder, "loaded.bin"), join(folder, "dumped.bin")];
  writeFileSync(loaded, sampleFirmware(0x2000));
  const { text, exitCode } = await openocd(
    bus,
    transport,
    ...["init", `load_image ${loaded} 0x24000000 bin`, `dump_image ${dumped} 0x24000000 0x2000`],
  );
  expect(exitCode, text).toBe(0);
  return readFileSync(dumped).equals(readFileSync(loaded));
}

describe.skipIf(!umockdevAvailable || !hasProgram("openocd")).each(transports)(
  "a wrong virtual probe, seen by OpenOCD over %s (needs umockdev, openocd)",
  (transport) => {
    it("cannot be connected to with the status in the wrong byte", async () => {
      const { bus } = await witnessBench({ mutation: mutations.swappedStatus });
      const { text, exitCode } = await openocd(bus, transport, "init");
      expect(exitCode).not.toBe(0);
      expect(() => expectProbeAndCore(text)).toThrow("examination of the core");
    });

    it("is caught by its voltage", async () => {
      const { bus } = await witnessBench({ mutation: mutations.wrongVoltage });
      const { text, exitCode } = await openocd(bus, transport, "init");
      expect(exitCode, text).toBe(0); // OpenOCD believes it; what it prints does not fit the chip
      expect(() => expectProbeAndCore(text)).toThrow("Target voltage: 6.6");
    });

    it("is caught by the bytes that do not come back", async () => {
      expect(await ramComesBack(transport, {})).toBe(true);
      expect(await ramComesBack(transport, mutations.shortBlock)).toBe(false);
    });
  },
);

describe.skipIf(!umockdevAvailable || !hasProgram("st-info"))(
  "a wrong virtual probe, seen by stlink-tools (needs umockdev, stlink-tools)",
  () => {
    // The status of ENTER is of no interest to release 1.7.0, so the one that was swapped above is no use here.
    it("is not recognized with the status where the value belongs", async () => {
      const selector = `virtual:h753,serial=${serial}`;
      const { bus } = await witnessBench({ selector, mutation: mutations.statusBehindValue });
      const { all } = await run(bus, "st-info", "--probe");
      expect(() => expectProbeInfo(all ?? "", serial)).toThrow("size of the flash");
    });

    it("does not verify with short blocks", async () => {
      const { bus } = await witnessBench({ mutation: mutations.shortBlock });
      const file = join(temporaryFolder(), "firmware.bin");
      writeFileSync(file, sampleFirmware(256));
      const { all } = await run(bus, "st-flash", "write", file, "0x08000000");
      expect(all).not.toContain("Flash written and verified!");
    });
  },
);
