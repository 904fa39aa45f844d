import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  chainFindings,
  chainPermissions,
  createDaCertificate,
  type DaCertificateFields,
  type DaRole,
  daRoles,
  encodeDaChain,
  parseDaChain,
} from "../../../src/package/da-certificate.ts";
import { parsePermissions, permissionNames } from "../../../src/package/da-permissions.ts";
import { publicKeyName } from "../../../src/package/known-keys.ts";
import { keyPairOf, randomKeyPair } from "../../../src/package/p256.ts";
import { projectRoot } from "../../support/sample-job.ts";

const keys = daRoles.map((_, i) => keyPairOf(new Uint8Array(32).fill(i + 1)));
const fields = (role: DaRole, publicKey: Uint8Array, permissions = 0x5077n): DaCertificateFields => ({
  role,
  usage: 1,
  lifecycle: 0,
  oemConstraint: 0,
  socClass: 0,
  socId: new Uint8Array(16),
  permissions,
  publicKey,
});
/** Root, intermediate and leaf, each signed by the one before. */
const chain = daRoles.map((role, i) =>
  createDaCertificate(
    fields(role, keys[i]!.publicKey, i === 2 ? 0x4007n : 0x5077n),
    keys[Math.max(0, i - 1)]!.privateKey,
  ),
);

describe("debug-authentication certificates", () => {
  it("are the same bytes for the same inputs", () => {
    expect(createDaCertificate(fields("root", keys[0]!.publicKey), keys[0]!.privateKey)).toEqual(chain[0]);
  });

  it("make a chain that reads back and verifies; sizes are those of ST's files", () => {
    const text = encodeDaChain(chain);
    expect([1, 2, 3].map((count) => encodeDaChain(chain.slice(0, count)).length)).toEqual([296, 588, 880]);
    const read = parseDaChain(text, "chain.b64");
    expect(read.map(({ role, permissions }) => [role, permissions])).toEqual([
      ["root", 0x5077n],
      ["intermediate", 0x5077n],
      ["leaf", 0x4007n],
    ]);
    expect(chainFindings(read)).toEqual([]);
    expect(chainPermissions(read)).toBe(0x4007n);
    expect(encodeDaChain(read.map(({ bytes }) => bytes))).toBe(text);
  });

  it("come back as they went in", () => {
    const some = fc.record({
      role: fc.constantFrom(...daRoles),
      usage: fc.nat(255),
      lifecycle: fc.nat(0xffff),
      oemConstraint: fc.nat(0xffff),
      socClass: fc.nat(0xffffffff),
      socId: fc.uint8Array({ minLength: 16, maxLength: 16 }),
      permissions: fc.bigInt(0n, (1n << 128n) - 1n),
    });
    fc.assert(
      fc.property(some, (given) => {
        const certificate = createDaCertificate(
          { ...given, publicKey: keys[1]!.publicKey },
          keys[0]!.privateKey,
        );
        const single = btoa(String.fromCharCode(...certificate));
        expect(parseDaChain(single, "a.cert")).toMatchObject([given]);
      }),
      { numRuns: 40 },
    );
  });

  it("tell what is wrong with a chain", () => {
    const swapped = parseDaChain(encodeDaChain([chain[0]!, chain[2]!, chain[1]!]), "x");
    expect(chainFindings(swapped)).toEqual([
      "certificate 2 (leaf) is not signed by certificate 1 (root)",
      "certificate 3 (intermediate) cannot stand at place 3",
      "certificate 3 (intermediate) is not signed by certificate 2 (leaf)",
    ]);
    const stranger = createDaCertificate(fields("root", keys[0]!.publicKey), randomKeyPair().privateKey);
    expect(chainFindings(parseDaChain(encodeDaChain([stranger]), "x"))).toEqual([
      "certificate 1 (root) is not signed by itself",
    ]);
  });

  it("are refused with the offset when they are cut or changed", () => {
    const text = encodeDaChain(chain.slice(0, 2));
    expect(() => parseDaChain(text.slice(0, 584), "x")).toThrow("offset 4");
    expect(() => parseDaChain("%%%%", "x")).toThrow("not base64");
    expect(() => parseDaChain(text.slice(0, 300), "x")).toThrow(/offset 2\d\d/);
  });
});

describe("permissions", () => {
  it("have names, and names have bits", () => {
    expect(permissionNames(0x5077n)).toEqual([
      ...["debug-ns-1", "debug-ns-2", "debug-ns-3", "debug-1", "debug-2", "debug-3"],
      ...["partial-regression", "full-regression"],
    ]);
    expect(parsePermissions("full-regression,debug-ns-1")).toBe(0x4001n);
    expect(parsePermissions("0x00000000_00000000_00000000_00004000")).toBe(0x4000n);
    for (const text of ["", "all", "0x", "-1", `0x1${"0".repeat(32)}`])
      expect(parsePermissions(text)).toBeUndefined();
    fc.assert(
      fc.property(fc.bigInt(0n, (1n << 128n) - 1n), (mask) => {
        expect(parsePermissions(`0x${mask.toString(16)}`)).toBe(mask);
      }),
    );
  });
});

const samples = join(projectRoot, "../shared/samples/h5-provisioning");
describe.skipIf(!existsSync(samples))("ST sample certificates (shared/samples/h5-provisioning)", () => {
  it.each([
    ["cert_root.b64", 1],
    ["cert_intermediate_chain.b64", 2],
    ["cert_leaf_chain.b64", 3],
  ])(
    "%s: %i certificates, all signatures right, written back byte for byte, all keys known",
    (name, count) => {
      const text = readFileSync(join(samples, name), "latin1");
      const read = parseDaChain(text, name);
      expect(read.map(({ role }) => role)).toEqual(daRoles.slice(0, count));
      expect(chainFindings(read)).toEqual([]);
      expect(chainPermissions(read)).toBe(0x5077n);
      expect(encodeDaChain(read.map(({ bytes }) => bytes))).toBe(text.trim());
      for (const { publicKey } of read) expect(publicKeyName(publicKey)).toBeDefined();
    },
  );
});
