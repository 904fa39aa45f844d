import { openVirtualBench, parseVirtualSelector, type VirtualBench } from "../../../drivers/virtual/bench.ts";
import type { VirtualConfig } from "../../../drivers/virtual/selector.ts";
import { fromHex } from "../../../src/bytes/hex.ts";
import type { BulkPort } from "../../../src/ports/index.ts";

/** A bench with an open port and the commands of the tests, packed here byte by byte. */
export interface RawProbe {
  readonly bench: VirtualBench;
  readonly port: BulkPort;
  /** Sends a 16-byte command given as hexadecimal text (zero filled) and fetches the reply, if any is expected. */
  command(hex: string, replyBytes?: number): Promise<Uint8Array>;
  /** First byte of a command's two-byte (or longer) reply. */
  status(hex: string, replyBytes?: number): Promise<number>;
  enter(): Promise<void>;
  readWord(address: number, ap?: number): Promise<number>;
  writeWord(address: number, value: number): Promise<number>;
  /** READMEM_32 and its status and fault address. */
  read(
    address: number,
    sizeBytes: number,
    opcode?: number,
  ): Promise<{ data: Uint8Array; status: number; at: number }>;
  /** WRITEMEM_32 and its status and fault address. */
  write(address: number, data: Uint8Array, opcode?: number): Promise<{ status: number; at: number }>;
}

export async function openRaw(
  selector = "virtual:h753",
  extra: Partial<VirtualConfig> = {},
): Promise<RawProbe> {
  const bench = await openVirtualBench({ ...parseVirtualSelector(selector), ...extra });
  return rawProbe(bench, await bench.opener.open());
}

export function rawProbe(bench: VirtualBench, port: BulkPort): RawProbe {
  const command = async (hex: string, replyBytes = 0): Promise<Uint8Array> => {
    const block = new Uint8Array(16);
    block.set(fromHex(hex));
    await port.send(block, 1000);
    return replyBytes > 0 ? port.receive(replyBytes, 1000) : new Uint8Array(0);
  };
  const lastStatus = async () => {
    const reply = await command("F2 3E", 12);
    return { status: reply[0]!, at: word(reply, 4) };
  };
  return {
    bench,
    port,
    command,
    status: async (hex, replyBytes = 2) => (await command(hex, replyBytes))[0]!,
    async enter() {
      if ((await command("F5", 2))[0] === 0) await command("F3 07");
      const entered = (await command("F2 30 A3", 2))[0];
      if (entered !== 0x80) throw new Error(`ENTER: ${entered?.toString(16)}`);
      await command("F2 4B 00", 2);
    },
    async readWord(address, ap = 0) {
      return word(await command(`F2 36 ${le32(address)} ${ap.toString(16).padStart(2, "0")}`, 8), 4);
    },
    writeWord: async (address, value) => (await command(`F2 35 ${le32(address)} ${le32(value)}`, 2))[0]!,
    async read(address, sizeBytes, opcode = 0x07) {
      const size = sizeBytes === 1 && opcode === 0x0c ? 2 : sizeBytes;
      const data = await command(`F2 ${byte(opcode)} ${le32(address)} ${le16(sizeBytes)}`, size);
      return { data, ...(await lastStatus()) };
    },
    async write(address, data, opcode = 0x08) {
      await command(`F2 ${byte(opcode)} ${le32(address)} ${le16(data.length)}`);
      await port.send(data, 1000);
      return lastStatus();
    },
  };
}

/** A 32-bit word of a reply. */
export function word(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}

export function le32(value: number): string {
  return [0, 8, 16, 24].map((shift) => byte((value >>> shift) & 0xff)).join("");
}

function le16(value: number): string {
  return byte(value & 0xff) + byte(value >>> 8);
}

function byte(value: number): string {
  return value.toString(16).padStart(2, "0");
}

/** The option-byte write sequence of RM0433 4.4.2, word by word. Returns OPTSR_CUR at the end. */
export async function writeOptions(
  raw: RawProbe,
  registers: Readonly<Record<number, number>>,
): Promise<number> {
  if ((await raw.readWord(0x52002018)) & 1) {
    await raw.writeWord(0x52002008, 0x08192a3b);
    await raw.writeWord(0x52002008, 0x4c5d6e7f);
  }
  for (const [address, value] of Object.entries(registers)) await raw.writeWord(Number(address), value);
  await raw.writeWord(0x52002018, 2);
  for (let tries = 0; tries < 100; tries++) {
    const optsr = await raw.readWord(0x5200201c);
    if ((optsr & 1) === 0) return optsr;
    await raw.bench.clock.sleep(100);
  }
  throw new Error("options stay busy");
}

/** Unlocks a bank (1 or 2) of the flash. */
export async function unlockBank(raw: RawProbe, bank: 1 | 2): Promise<void> {
  const base = 0x52002000 + (bank - 1) * 0x100;
  await raw.writeWord(base + 4, 0x45670123);
  await raw.writeWord(base + 4, 0xcdef89ab);
}

export const optsrPrg = 0x52002020;
export const optsrCur = 0x5200201c;
