import { asciiBytes } from "../../src/bytes/bytes.ts";
import { ByteWriter } from "../../src/bytes/writer.ts";

/** Two data records, an address record and the end. */
export const hexFile = asciiBytes(
  ":020000040800F2\n:10000000000102030405060708090A0B0C0D0E0F78\n:0400100010111213A6\n:00000001FF\n",
);

/** Header, a data record and the end. */
export const sRecordFile = asciiBytes("S0030000FC\nS3090800000001020304E4\nS70508000000F2\n");

/** A 32-bit little-endian ELF with one loadable segment of 16 bytes. */
export const elf32 = new ByteWriter(52 + 32 + 16)
  .bytes(Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 1, 1, 1)) // 0
  .skip(9) // 7
  .u16(2) // 16 executable
  .u16(40) // 18 Arm
  .u32(1) // 20
  .u32(0x08000001) // 24 entry
  .u32(52) // 28 program headers
  .u32(0) // 32
  .u32(0) // 36
  .u16(52) // 40
  .u16(32) // 42
  .u16(1) // 44
  .u16(0) // 46
  .u16(0) // 48
  .u16(0) // 50
  .u32(1) // 52 PT_LOAD
  .u32(84) // offset
  .u32(0x08000000)
  .u32(0x08000000)
  .u32(16)
  .u32(16)
  .u32(5)
  .u32(4)
  .bytes(new Uint8Array(16).fill(0xa5))
  .finish();
