import { describe, expect, it } from "vitest";
import type { FieldValues } from "../../../src/target/manifest-types.ts";
import { applyFields, defaultOptionBytes } from "../../../src/target/option-bytes.ts";
import { readSecurityState } from "../../../src/target/security.ts";
import { h7, h753, variant } from "./h7.ts";

const stateOf = (values: FieldValues) =>
  readSecurityState(h7, h753, applyFields(h7, h753, defaultOptionBytes(h7, h753), values));

describe("security state", () => {
  it("of a part as delivered", () => {
    expect(stateOf({})).toEqual({
      rdpLevel: 0,
      rdpName: "RDP level 0",
      trustZone: undefined,
      watermarks: [],
      security: false,
      sfiPending: false,
      pcropAreas: [],
      secureAreas: [],
      writeProtected: [],
      text: ["RDP level 0: open", "security is off"],
    });
  });

  it("of a part in the middle of a secure install", () => {
    const state = stateOf({ SECURITY: 1, RSS1: 1, RDP: 0xbb });
    expect(state).toMatchObject({ rdpLevel: 1, security: true, sfiPending: true });
    expect(state.text).toContain("a secure install was started and has not finished");
  });

  it("level 2, and any unknown value is level 1", () => {
    expect(stateOf({ RDP: 0xcc }).rdpLevel).toBe(2);
    const odd = new Map(defaultOptionBytes(h7, h753).words).set("FOPTSR", 0x5500);
    expect(readSecurityState(h7, h753, { words: odd }).rdpLevel).toBe(1);
  });

  it("names what protected areas and sectors cover", () => {
    const state = stateOf({
      PROT_AREA_START1: 0x10,
      PROT_AREA_END1: 0x1f,
      SEC_AREA_START2: 0x20,
      SEC_AREA_END2: 0x20,
      nWRP9: 0,
    });
    expect(state.pcropAreas).toEqual([
      { name: "PCROP area of bank 1", address: 0x08001000, endAddress: 0x08001fff, sizeBytes: 0x1000 },
    ]);
    // Start equal to end is the whole bank.
    expect(state.secureAreas).toEqual([
      { name: "secure area of bank 2", address: 0x08100000, endAddress: 0x081fffff, sizeBytes: 0x100000 },
    ]);
    expect(state.writeProtected).toEqual([
      { name: "nWRP9", address: 0x08120000, endAddress: 0x0813ffff, sizeBytes: 0x20000 },
    ]);
    expect(state.text).toContain("PCROP area of bank 1: 0x08001000 to 0x08001FFF");
  });

  it("of a part without the extension has no security and no secure areas", () => {
    const h743 = variant("STM32H742/743");
    const state = readSecurityState(h7, h743, defaultOptionBytes(h7, h743));
    expect(state).toMatchObject({ security: false, sfiPending: false, secureAreas: [] });
  });
});
