import { createDecipheriv } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { equalBytes, fromWords } from "../../../src/bytes/bytes.ts";
import { fromHex, toHex } from "../../../src/bytes/hex.ts";
import { isStationError } from "../../../src/errors/station-error.ts";
import { joinSegments, type Segment } from "../../../src/firmware/segments.ts";
import { parseSfi } from "../../../src/package/sfi.ts";
import { buildSfi } from "../../../src/package/sfi-build.ts";
import { areaIv } from "../../../src/package/sfi-layout.ts";
import { checkStructure, openSfi, partsOf } from "../../../src/package/sfi-verify.ts";
import {
  patternSegment,
  sampleKey,
  sampleNonce,
  sampleOptionWords,
  samplePackage,
  sampleRules,
} from "../../support/sfi-samples.ts";

const token = 0x081ff000;

function layoutOf(bytes: Uint8Array): string[] {
  return parseSfi(bytes, "built.sfi").areas.map(
    ({ type, sizeBytes, address }) => `${type} ${sizeBytes} @${address.toString(16)}`,
  );
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (isStationError(error)) return error.code;
    throw error;
  }
  return "none";
}

/** OpenSSL's AES-128-GCM: a second implementation, told key, IV and additional data by hand. */
function opensslOpen(iv: Uint8Array, aad: Uint8Array, content: Uint8Array, tag: Uint8Array): Uint8Array {
  const cipher = createDecipheriv("aes-128-gcm", sampleKey, iv);
  cipher.setAAD(aad);
  cipher.setAuthTag(tag);
  const plaintext = cipher.update(content);
  cipher.final(); // throws when the tag is wrong
  return Uint8Array.from(plaintext);
}

describe("areaIv", () => {
  it.each([
    ["a0a1a2a3a4a5a6a7a8a9aaab", 0, "a0a1a2a3a4a5a6a7a8a9aaab"],
    ["a0a1a2a3a4a5a6a7a8a9aaab", 1, "a0a1a2a3a4a5a6a7a8a9aaac"],
    ["0000000000000000000000ff", 1, "000000000000000000000100"],
    ["00000000000000ffffffffff", 2, "000000000000010000000001"],
    ["000000000000000000000001", 0xffff, "000000000000000000010000"],
    ["ffffffffffffffffffffffff", 1, "000000000000000000000000"],
  ])("%s + %i = %s", (nonce, index, sum) => {
    expect(toHex(areaIv(fromHex(nonce), index))).toBe(sum);
  });

  it("is a 96-bit sum", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 12, maxLength: 12 }), fc.nat(0xffff), (nonce, index) => {
        const expected = (BigInt(`0x${toHex(nonce)}`) + BigInt(index)) % 2n ** 96n;
        expect(toHex(areaIv(nonce, index))).toBe(expected.toString(16).padStart(24, "0"));
      }),
    );
  });
});

describe("buildSfi", () => {
  it("makes one area for each segment, of exactly its length, and the C area last", () => {
    expect(layoutOf(samplePackage())).toEqual(["F 844 @8000000", "F 116 @8030000", "C 36 @0"]);
  });

  it("makes what another AES-GCM implementation opens under the published rules", () => {
    const bytes = samplePackage();
    // Image header: no plaintext, bytes 0..11 as additional data, the nonce as IV.
    opensslOpen(sampleNonce, bytes.subarray(0, 12), new Uint8Array(0), bytes.subarray(12, 28));
    // Area 3 (C): header at 28 + (30 + 844) + (30 + 116), IV = nonce + 3.
    const offset = 28 + 30 + 844 + 30 + 116;
    const options = opensslOpen(
      fromHex("a0a1a2a3a4a5a6a7a8a9aaae"),
      bytes.subarray(offset, offset + 14),
      bytes.subarray(offset + 30),
      bytes.subarray(offset + 14, offset + 30),
    );
    expect(toHex(options)).toBe(toHex(fromWords(sampleOptionWords)));
  });

  it("splits the known case as STM32TrustedPackageCreator 2.20 did", () => {
    const bytes = samplePackage({
      segments: [patternSegment(0x08000000, 182_592)],
      protocolVersion: 2,
      split: { ramSizeBytes: 0x1e000, tokenAddress: token },
    });
    expect(layoutOf(bytes)).toEqual([
      "F 122816 @8000000",
      "P 32 @81ff000",
      "R 32 @81ff000",
      "F 59776 @801dfc0",
      "C 36 @0",
    ]);
    expect(checkStructure(parseSfi(bytes, "x"), { ...sampleRules, protocolVersions: [2] })).toEqual([]);
  });

  it("leaves an image that fits in one part", () => {
    expect(layoutOf(samplePackage({ split: { ramSizeBytes: 0x1e000, tokenAddress: token } }))).toEqual([
      "F 844 @8000000",
      "F 116 @8030000",
      "C 36 @0",
    ]);
  });

  it("puts several whole areas into one part and begins the next where one does not fit", () => {
    const bytes = samplePackage({
      segments: [
        patternSegment(0x08000000, 688),
        patternSegment(0x08000400, 20_400),
        patternSegment(0x08006000, 2_704),
        patternSegment(0x08007000, 176),
        patternSegment(0x08007100, 72_848),
        patternSegment(0x08020000, 90_000),
      ],
      split: { ramSizeBytes: 0x1e000, tokenAddress: token },
    });
    expect(layoutOf(bytes)).toEqual([
      "F 688 @8000000",
      "F 20400 @8000400",
      "F 2704 @8006000",
      "F 176 @8007000",
      "F 72848 @8007100",
      "P 32 @81ff000",
      "R 32 @81ff000",
      "F 90000 @8020000",
      "C 36 @0",
    ]);
  });

  it("fills a part to the last byte before beginning another", () => {
    const budget = 28 + 30 + 1000 + 30 + 500;
    const build = (ramSizeBytes: number) =>
      layoutOf(
        buildSfi({
          segments: [patternSegment(0x08000000, 1000), patternSegment(0x08001000, 500)],
          key: sampleKey,
          nonce: sampleNonce,
          imageVersion: 0,
          protocolVersion: 1,
          split: { ramSizeBytes, tokenAddress: token },
        }),
      );
    expect(build(budget)).toEqual(["F 1000 @8000000", "F 500 @8001000"]);
    expect(build(budget - 1)).toEqual([
      "F 1000 @8000000",
      "P 32 @81ff000",
      "R 32 @81ff000",
      "F 500 @8001000",
    ]);
  });

  it("leaves room for the R area in every part but the first", () => {
    const bytes = samplePackage({
      segments: [patternSegment(0x08000000, 3000)],
      split: { ramSizeBytes: 28 + 30 + 1024, tokenAddress: token },
    });
    expect(layoutOf(bytes)).toEqual([
      "F 1024 @8000000",
      "P 32 @81ff000",
      "R 32 @81ff000",
      "F 960 @8000400",
      "P 32 @81ff000",
      "R 32 @81ff000",
      "F 960 @80007c0",
      "P 32 @81ff000",
      "R 32 @81ff000",
      "F 56 @8000b80",
      "C 36 @0",
    ]);
  });

  it("cuts firmware that begins between flash words at flash-word addresses", () => {
    const bytes = samplePackage({
      segments: [patternSegment(0x08000010, 3000)],
      split: { ramSizeBytes: 1024, tokenAddress: token },
    });
    const starts = parseSfi(bytes, "x")
      .areas.filter(({ type }) => type === "F")
      .map(({ address }) => address);
    expect(starts.length).toBeGreaterThan(2);
    expect(starts.slice(1).map((address) => address % 64)).toEqual(starts.slice(1).map(() => 0));
    expect(
      checkStructure(parseSfi(bytes, "x"), {
        ...sampleRules,
        flashWordBytes: 32,
        maximumPartSizeBytes: 1024,
      }),
    ).toEqual([]);
  });

  it.each([
    ["a key of 15 bytes", { key: new Uint8Array(15) }, "KEY_LENGTH"],
    ["a nonce of 16 bytes", { nonce: new Uint8Array(16) }, "KEY_LENGTH"],
    ["image version 256", { imageVersion: 256 }, "USAGE_INVALID"],
    ["image version 1.5", { imageVersion: 1.5 }, "USAGE_INVALID"],
    ["protocol version -1", { protocolVersion: -1 }, "USAGE_INVALID"],
    ["too little RAM", { split: { ramSizeBytes: 150, tokenAddress: token } }, "USAGE_INVALID"],
    ["negative RAM", { split: { ramSizeBytes: -5, tokenAddress: token } }, "USAGE_INVALID"],
    ["a token beyond 32 bits", { split: { ramSizeBytes: 4096, tokenAddress: 2 ** 32 } }, "USAGE_INVALID"],
  ])("refuses %s", (_, overrides, code) => {
    expect(codeOf(() => samplePackage(overrides))).toBe(code);
  });

  it("refuses to pack nothing", () => {
    const nothing = { segments: [], key: sampleKey, nonce: sampleNonce, imageVersion: 0, protocolVersion: 1 };
    expect(codeOf(() => buildSfi(nothing))).toBe("USAGE_INVALID");
  });

  it("round-trips: what goes in comes out, in parts that keep the budget", () => {
    const segmentList = fc
      .array(
        fc.record({
          gapBytes: fc.integer({ min: 1, max: 3000 }),
          data: fc.uint8Array({ minLength: 1, maxLength: 5000 }),
        }),
        { minLength: 1, maxLength: 6 },
      )
      .map((items) => {
        let address = 0x08000000;
        return items.map(({ gapBytes, data }): Segment => {
          const segment = { address: address + gapBytes, data };
          address += gapBytes + data.length;
          return segment;
        });
      });
    const options = fc.array(fc.nat(0xffffffff), { minLength: 9, maxLength: 9 });
    const ram = fc.option(fc.integer({ min: 300, max: 8192 }), { nil: undefined });
    const sixteen = fc.uint8Array({ minLength: 16, maxLength: 16 });
    const twelve = fc.uint8Array({ minLength: 12, maxLength: 12 });
    fc.assert(
      fc.property(
        segmentList,
        options,
        ram,
        sixteen,
        twelve,
        fc.nat(255),
        fc.nat(0xffff),
        (segments, optionWords, ramSizeBytes, key, nonce, imageVersion, protocolVersion) => {
          const bytes = buildSfi({
            segments,
            optionWords,
            key,
            nonce,
            imageVersion,
            protocolVersion,
            ...(ramSizeBytes === undefined ? {} : { split: { ramSizeBytes, tokenAddress: token } }),
          });
          const pkg = parseSfi(bytes, "round-trip.sfi");
          expect(pkg).toMatchObject({ imageVersion, protocolVersion });
          const rules = {
            ...sampleRules,
            protocolVersions: [protocolVersion],
            maximumPartSizeBytes: ramSizeBytes ?? 2 ** 20,
          };
          expect(checkStructure(pkg, rules)).toEqual([]);
          const opened = openSfi(pkg, key, nonce);
          expect(opened.optionWords).toEqual(optionWords);
          const expected = joinSegments([{ format: "bin", source: "x", segments }]);
          expect(opened.firmware.length).toBe(expected.length);
          expected.forEach(({ address, data }, i) => {
            expect(opened.firmware[i]?.address).toBe(address);
            expect(equalBytes(opened.firmware[i]?.data ?? new Uint8Array(0), data)).toBe(true);
          });
          expect(partsOf(pkg).reduce((sum, part) => sum + part.sizeBytes, 28)).toBe(bytes.length);
        },
      ),
      { numRuns: 60 },
    );
  });
});
