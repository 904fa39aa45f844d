import { fromHex } from "../../src/bytes/hex.ts";
import type { Segment } from "../../src/firmware/segments.ts";
import { buildSfi, type SfiBuildInput } from "../../src/package/sfi-build.ts";
import type { SfiRules } from "../../src/package/sfi-verify.ts";

/** A key and nonce for tests; no package outside these tests uses them. */
export const sampleKey = fromHex("000102030405060708090a0b0c0d0e0f");
export const sampleNonce = fromHex("a0a1a2a3a4a5a6a7a8a9aaab");

/** The nine option words of AN5054 figure 15. */
export const sampleOptionWords = [
  0x1026aad0, 0x81000200, 0x81000200, 0x81000200, 0x81000200, 0xffffffff, 0xffffffff, 0x24000800, 0x10000810,
];

/** Names of the rows in AN5054 figure 15. */
export const sampleOptionRows = [
  "FOPTSR_PRG",
  "FPRAR_PRG_A",
  "FPRAR_PRG_B",
  "FSCAR_PRG_A",
  "FSCAR_PRG_B",
  "FWPSN_PRG_A",
  "FWPSN_PRG_B",
  "FBOOT7_PRG",
  "RESERVED",
];

/** Rules of a 2 MiB dual-bank H7, as far as these tests need them. */
export const sampleRules: SfiRules = {
  device: "0x450",
  protocolVersions: [1],
  flash: [
    { address: 0x08000000, sizeBytes: 0x100000 },
    { address: 0x08100000, sizeBytes: 0x100000 },
  ],
  tokenAlignmentBytes: 0x20,
  optionRowCount: 9,
  maximumPartSizeBytes: 0x1e000,
};

/** Bytes that are all different enough for an exchange or shift of any of them to show. */
export function patternBytes(sizeBytes: number, seed = 1): Uint8Array {
  let state = seed >>> 0 || 1;
  return Uint8Array.from({ length: sizeBytes }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

export function patternSegment(address: number, sizeBytes: number): Segment {
  return { address, data: patternBytes(sizeBytes, address + sizeBytes) };
}

/** A small sound package: two firmware areas and the option bytes. */
export function samplePackage(overrides: Partial<SfiBuildInput> = {}): Uint8Array {
  return buildSfi({
    segments: [patternSegment(0x08000000, 844), patternSegment(0x08030000, 116)],
    optionWords: sampleOptionWords,
    key: sampleKey,
    nonce: sampleNonce,
    imageVersion: 23,
    protocolVersion: 1,
    ...overrides,
  });
}
