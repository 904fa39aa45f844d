import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  asciiBytes,
  asciiText,
  concatBytes,
  equalBytes,
  firstDifference,
  fromWords,
  toWords,
} from "../../../src/bytes/bytes.ts";
import { chunks, spans } from "../../../src/bytes/chunks.ts";
import { sha256Hex } from "../../../src/bytes/digest.ts";
import { fromHex, hex32, toHex } from "../../../src/bytes/hex.ts";
import { alignDown, alignUp, bitField, parseNumber, withBitField } from "../../../src/bytes/numbers.ts";
import { ByteReader } from "../../../src/bytes/reader.ts";
import { ByteWriter } from "../../../src/bytes/writer.ts";

const bytes = () => fc.uint8Array({ maxLength: 300 });
const word = () => fc.integer({ min: 0, max: 0xffffffff });

describe("bytes", () => {
  it("hex and words round-trip, whatever the view's offset", () => {
    fc.assert(
      fc.property(bytes(), (data) => {
        const shifted = concatBytes(new Uint8Array(3), data).subarray(3);
        expect(fromHex(toHex(shifted))).toEqual(data);
        const whole = shifted.subarray(0, data.length & ~3);
        expect(fromWords(toWords(whole))).toEqual(data.subarray(0, data.length & ~3));
      }),
    );
    expect(() => fromHex("abc")).toThrow(RangeError);
    expect(() => fromHex("zz")).toThrow(RangeError);
    expect(() => toWords(new Uint8Array(5))).toThrow(RangeError);
    expect(asciiText(asciiBytes("SFIMAGIC"))).toBe("SFIMAGIC");
    expect(() => asciiBytes("ü")).toThrow(RangeError);
  });

  it("finds the first difference", () => {
    expect(firstDifference(new Uint8Array([1, 2]), new Uint8Array([1, 2]))).toBe(-1);
    expect(firstDifference(new Uint8Array([1, 2]), new Uint8Array([1, 3]))).toBe(1);
    expect(firstDifference(new Uint8Array([1, 2]), new Uint8Array([1]))).toBe(1);
    expect(equalBytes(new Uint8Array(2), new Uint8Array(3))).toBe(false);
  });

  it("chunks cover the data once, in order, each below the limit", () => {
    fc.assert(
      fc.property(fc.nat(0xffffff), bytes(), fc.integer({ min: 1, max: 64 }), (address, data, limit) => {
        let at = address;
        for (const chunk of chunks(address, data, limit)) {
          expect(chunk.address).toBe(at);
          expect(chunk.data.length).toBeLessThanOrEqual(limit);
          expect(chunk.data).toEqual(data.subarray(at - address, at - address + chunk.data.length));
          at += chunk.data.length;
        }
        expect(at).toBe(address + data.length);
      }),
    );
    expect(() => [...spans(0, 1, 0)]).toThrow(RangeError);
  });

  it("a reader gives back what a writer wrote, and neither passes its end", () => {
    fc.assert(
      fc.property(fc.nat(255), fc.nat(65535), word(), bytes(), (a, b, c, tail) => {
        const size = 1 + 2 + 2 + 4 + 4 + 3 + tail.length;
        const writer = new ByteWriter(size).u8(a).u16(b).u16be(b).u32(c).u32be(c).skip(3).bytes(tail);
        expect(writer.offset).toBe(size);
        expect(() => writer.u8(0)).toThrow(RangeError);
        const reader = new ByteReader(concatBytes(new Uint8Array(5), writer.finish()).subarray(5));
        expect([reader.u8(), reader.u16(), reader.u16be(), reader.u32(), reader.u32be()]).toEqual([
          a,
          b,
          b,
          c,
          c,
        ]);
        reader.skip(3);
        expect(reader.bytes(tail.length)).toEqual(tail);
        expect(reader.remainingBytes).toBe(0);
        expect(() => reader.u8()).toThrow(RangeError);
      }),
    );
  });

  it("bit fields replace their own bits only", () => {
    fc.assert(
      fc.property(word(), fc.nat(31), fc.nat(31), word(), (start, a, b, value) => {
        const [offset, last] = [Math.min(a, b), Math.max(a, b)];
        const width = last - offset + 1;
        const part = width === 32 ? value : value % 2 ** width;
        const changed = withBitField(start, offset, width, part);
        expect(bitField(changed, offset, width)).toBe(part);
        expect(withBitField(changed, offset, width, bitField(start, offset, width))).toBe(start);
      }),
    );
  });

  it("reads numbers as users write them and nothing else", () => {
    expect(["0", "10", "0x1E000", "0Xff"].map(parseNumber)).toEqual([0, 10, 0x1e000, 255]);
    expect(["", "-1", "1.5", "1e3", "0x", "12z", " 1", "0b1"].map(parseNumber)).toEqual(
      new Array(8).fill(undefined),
    );
    expect(hex32(0x8000000)).toBe("0x08000000");
    expect([alignDown(0xffffffff, 32), alignUp(0x08000001, 32)]).toEqual([0xffffffe0, 0x08000020]);
  });

  it("SHA-256 of parts is that of the whole (FIPS 180-4 example abc)", () => {
    expect(sha256Hex("a", asciiBytes("bc"))).toBe(
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
  });
});
