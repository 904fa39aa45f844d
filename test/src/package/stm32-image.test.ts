import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteWriter } from "../../../src/bytes/writer.ts";
import { binaryTypeName, parseStm32Image } from "../../../src/package/stm32-image.ts";

/** A version 1 image by the published offsets. */
function version1(payload: Uint8Array): Uint8Array {
  const sum = payload.reduce((total, byte) => total + byte, 0);
  return new ByteWriter(256 + payload.length)
    .u32(0x324d5453) // 0
    .skip(64) // 4
    .u32(sum) // 68
    .u32(0x00010000) // 72
    .u32(payload.length) // 76
    .u32(0x2ffc2500) // 80
    .u32(0) // 84
    .u32(0x2ffc2400) // 88
    .u32(0) // 92
    .u32(3) // 96
    .u32(1) // 100
    .u32(1) // 104
    .skip(147) // 108
    .u8(0x10) // 255
    .bytes(payload)
    .finish();
}

describe(".stm32 images", () => {
  it("of version 1 are read by the published offsets", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (payload) => {
        expect(parseStm32Image(version1(payload), "a.stm32")).toEqual({
          headerVersion: "1.0",
          headerSizeBytes: 256,
          sizeBytes: payload.length,
          entryPoint: 0x2ffc2500,
          loadAddress: 0x2ffc2400,
          imageVersion: 3,
          binaryType: 0x10,
          signed: false,
          encrypted: false,
          checksumRight: true,
        });
      }),
    );
    expect(binaryTypeName(0x10)).toBe("TF-A");
  });

  it("of version 2 have extensions", () => {
    const file = new ByteWriter(128 + 384 + 4)
      .u32(0x324d5453)
      .skip(64)
      .u32(10) // 68
      .u32(0x00020200) // 72
      .u32(4) // 76
      .skip(20) // 80
      .u32(0x80000003) // 100
      .u32(384) // 104
      .u32(0x20) // 108
      .skip(16 + 384)
      .bytes(Uint8Array.of(1, 2, 3, 4))
      .finish();
    expect(parseStm32Image(file, "a.stm32")).toMatchObject({
      headerVersion: "2.2",
      headerSizeBytes: 512,
      binaryType: 0x20,
      signed: true,
      encrypted: true,
      checksumRight: true,
    });
  });

  it("are refused with the offset when they are cut, and a changed payload shows", () => {
    const file = version1(Uint8Array.of(1, 2, 3));
    expect(() => parseStm32Image(file.subarray(0, 100), "a")).toThrow("offset 100");
    expect(() => parseStm32Image(file.subarray(0, 258), "a")).toThrow("offset 76");
    file[256] = 9;
    expect(parseStm32Image(file, "a").checksumRight).toBe(false);
  });
});
