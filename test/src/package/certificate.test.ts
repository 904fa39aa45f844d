import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../../src/bytes/hex.ts";
import { isStationError } from "../../../src/errors/station-error.ts";
import { parseCertificate } from "../../../src/package/certificate.ts";

/** The certificate printed in AN5054 figure 36. */
const printed = fromHex(`3439373031303035
  07d76065982afe3629ca59f3d5299b99f7a34ec0bb155fd11d82f48a9a132dd3
  c92a9a02c09bdb10fc2d28d9c977bc4cba385b15e5b08dbdd04dc34ae9d1246b
  a8fc3f51af4241ddbeb3e4bb774814fa4bd63bbb6744e5a163ca766bdba380cf
  e061f3010705dd6c74f62923178fbde7c5cb3a5c0e5b58a38cdc8d13971eab52`);

function detailOf(bytes: Uint8Array): unknown {
  try {
    parseCertificate(bytes, "chip.bin");
  } catch (error) {
    if (!isStationError(error, "CERTIFICATE_INVALID")) throw error;
    const { detail } = error.parameters;
    return detail;
  }
  return "accepted";
}

describe("parseCertificate", () => {
  it("reads the certificate of AN5054 figure 36", () => {
    const certificate = parseCertificate(printed, "figure 36");
    expect(certificate.productId).toBe("49701005");
    expect(certificate.deviceIdText).toBe("497");
    expect(toHex(certificate.publicKey.subarray(0, 4))).toBe("07d76065");
    expect(toHex(certificate.publicKey.subarray(60))).toBe("e9d1246b");
    expect(certificate.publicKey.length).toBe(64);
    expect(toHex(certificate.signature.subarray(0, 4))).toBe("a8fc3f51");
    expect(toHex(certificate.signature.subarray(60))).toBe("971eab52");
  });

  it("refuses every other length", () => {
    for (const length of [0, 1, 8, 72, 135]) {
      expect(detailOf(printed.subarray(0, length))).toBe(`it is ${length} bytes long instead of 136`);
    }
    expect(detailOf(new Uint8Array(137))).toBe("it is 137 bytes long instead of 136");
  });

  it("refuses a product id that is none", () => {
    const bytes = Uint8Array.from(printed);
    bytes[0] = 0xff;
    expect(detailOf(bytes)).toBe("it does not begin with a product id");
  });

  it("notices a change of any bit of the public key", () => {
    for (let bit = 0; bit < 512; bit++) {
      const bytes = Uint8Array.from(printed);
      const offset = 8 + (bit >>> 3);
      bytes[offset] = (bytes[offset] ?? 0) ^ (1 << (bit & 7));
      expect(detailOf(bytes), `bit ${bit}`).toBe("its public key is not a point of the curve P-256");
    }
  });

  it("takes or refuses anything else with CERTIFICATE_INVALID alone", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 128, maxLength: 128 }), (rest) => {
        const bytes = Uint8Array.from([...printed.subarray(0, 8), ...rest]);
        expect(detailOf(bytes)).toBe("its public key is not a point of the curve P-256");
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(detailOf(bytes)).not.toBe("accepted");
      }),
    );
  });
});
