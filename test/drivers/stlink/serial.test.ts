import { describe, expect, it } from "vitest";
import { canonicalSerial, sameSerial } from "../../../drivers/stlink/serial.ts";

/** A string descriptor: bLength, 3, then one UTF-16LE unit for each character. */
function descriptor(text: string): Uint8Array {
  const units = Array.from(text, (character) => character.charCodeAt(0));
  return Uint8Array.from([2 + 2 * units.length, 3, ...units.flatMap((unit) => [unit & 0xff, unit >> 8])]);
}
const raw = "\x57\xff\x72\x06\x72\x65\x57\x57\x42\x13\x20\x67";
const canonical = "57FF72067265575742132067";

describe("canonical serial", () => {
  it("of a good probe is its 24 digits", () => {
    const good = descriptor("0035003b3338510a34353935");
    expect(good).toHaveLength(50);
    expect(canonicalSerial(good)).toBe("0035003B3338510A34353935");
  });

  it("of a V2 with the old loader is its raw bytes in hexadecimal", () => {
    expect(descriptor(raw)).toHaveLength(26);
    expect(canonicalSerial(descriptor(raw))).toBe(canonical);
  });

  it("of a clone may be short, empty, or end in a zero", () => {
    expect(canonicalSerial(descriptor("856D010110134753384C4E00"))).toBe("856D010110134753384C4E00");
    expect(canonicalSerial(descriptor("\x85\x6d\x01\x01\x10\x13\x47\x53\x38\x4c\x4e\x00"))).toBe(
      "856D010110134753384C4E00",
    );
    expect(canonicalSerial(descriptor("NO-NAME-1"))).toBe("NO-NAME-1");
    expect(canonicalSerial(descriptor("\x01\xfe"))).toBe("01FE");
    expect(canonicalSerial(descriptor(""))).toBe("");
    expect(canonicalSerial(new Uint8Array(0))).toBe("");
  });

  it("believes what arrived over what the descriptor claims", () => {
    expect(canonicalSerial(descriptor("AB12").subarray(0, 6))).toBe("AB");
    expect(canonicalSerial(Uint8Array.from([...descriptor("AB"), 0x43, 0]))).toBe("AB");
  });
});

describe("same serial", () => {
  it.each([
    ["as it is", canonical],
    ["lower case", canonical.toLowerCase()],
    ["with white space around", ` ${canonical}\n`],
    ["with a prefix", `0x${canonical}`],
    ["in pairs", canonical.replace(/(..)(?!$)/g, "$1:")],
    ["raw", raw],
    ["OpenOCD's escapes", "\\x57\\xFF\\x72\\x06\\x72\\x65\\x57\\x57\\x42\\x13\\x20\\x67"],
    ["OpenOCD's escapes where needed", "W\\xffr\\x06reWWB\\x13 g"],
    ["percent escapes", "W%FFr%06reWWB%13%20g"],
  ])("%s", (_name, spelling) => {
    expect(sameSerial(canonical, spelling)).toBe(true);
    expect(sameSerial(spelling, canonical)).toBe(true);
  });

  it("is not another one, nor part of one, nor nothing", () => {
    expect(sameSerial(canonical, canonical.replace("7", "8"))).toBe(false);
    expect(sameSerial(canonical, canonical.slice(0, 12))).toBe(false);
    expect(sameSerial(canonical, "")).toBe(false);
    expect(sameSerial("", "")).toBe(false);
    expect(sameSerial("  ", " ")).toBe(false);
  });

  it("of a clone with a plain text", () => {
    expect(sameSerial("NO-NAME-1", "no-name-1")).toBe(true);
    expect(sameSerial("NO-NAME-1", "no-name-2")).toBe(false);
  });
});
