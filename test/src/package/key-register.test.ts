import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toHex } from "../../../src/bytes/hex.ts";
import {
  conflictingEntry,
  formatRegisterLine,
  parseRegister,
  type RegisterEntry,
  registerEntry,
} from "../../../src/package/key-register.ts";

const key = new Uint8Array(16).fill(7);
const when = { time: "2025-01-01T00:00:00.000Z", file: "a.sfi" };
const image = (digit: string) => digit.repeat(64);

/** A nonce of the 12 bytes of a number. */
function nonce(value: bigint): Uint8Array {
  const text = (value % (1n << 96n)).toString(16).padStart(24, "0");
  return Uint8Array.from({ length: 12 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}
const use = (at: bigint, ivCount: number, of: string, with_ = key): RegisterEntry =>
  registerEntry({ key: with_, nonce: nonce(at), ivCount, image: image(of) }, when);

describe("key register", () => {
  it("allows the same image again and refuses another one under the same key and nonce", () => {
    const first = use(5n, 4, "a");
    expect(conflictingEntry([first], use(5n, 4, "a"))).toBeUndefined();
    expect(conflictingEntry([first], use(5n, 4, "b"))).toBe(first);
  });

  it("refuses a nonce whose counted-up IVs run into another image's, and no other", () => {
    const range = fc.record({ at: fc.bigInt(0n, (1n << 96n) - 1n), count: fc.integer({ min: 1, max: 600 }) });
    fc.assert(
      fc.property(
        range,
        fc.integer({ min: -700, max: 700 }),
        fc.integer({ min: 1, max: 600 }),
        (a, by, count) => {
          const start = a.at + BigInt(by) + (1n << 96n);
          const touching = by < a.count && by > -count;
          const conflict = conflictingEntry([use(a.at, a.count, "a")], use(start, count, "b"));
          expect(conflict !== undefined).toBe(touching);
        },
      ),
    );
  });

  it("keeps keys apart, and 12-byte nonces from 16-byte ones", () => {
    expect(conflictingEntry([use(5n, 4, "a")], use(5n, 4, "b", new Uint8Array(16)))).toBeUndefined();
    const ssp = registerEntry({ key, nonce: new Uint8Array(16), ivCount: 1, image: image("c") }, when);
    expect(conflictingEntry([use(0n, 4, "a")], ssp)).toBeUndefined();
  });

  it("lets the build that came first keep the nonce when two ran at once", () => {
    const register = [use(5n, 4, "a"), use(5n, 4, "b")];
    expect(conflictingEntry(register, use(5n, 4, "a"))).toBeUndefined();
    expect(conflictingEntry(register, use(5n, 4, "b"))).toBe(register[0]);
  });

  it("tells neither key nor nonce", () => {
    const line = formatRegisterLine(use(0x0123456789abcdef01234567n, 4, "a"));
    expect(line).not.toContain("0123456789abcdef");
    expect(line).not.toContain(toHex(key));
  });

  it("reads back what it writes and refuses anything else", () => {
    const entry = use(77n, 3, "d");
    expect(parseRegister(formatRegisterLine(entry).repeat(2), "r")).toEqual([entry, entry]);
    expect(() => parseRegister(`${formatRegisterLine(entry)}{"keyId":"x"}\n`, "r")).toThrow("line 2");
    expect(() => parseRegister(formatRegisterLine(entry).slice(0, -10), "r")).toThrow("line 1");
  });
});
