import { describe, expect, it } from "vitest";
import { sha256Hex } from "../../../src/bytes/digest.ts";
import { StationError } from "../../../src/errors/station-error.ts";
import { type LicenseEvent, licenseStoreKey, obtainLicense } from "../../../src/license/broker.ts";
import { developmentIssuer } from "../../../src/license/development-issuer.ts";
import { fileLicense } from "../../../src/license/file-source.ts";
import {
  countedSource,
  genuineLicense,
  memoryStore,
  sampleCertificate,
  sampleKeyPair,
} from "../../support/license-samples.ts";
import { sampleKey, sampleNonce } from "../../support/sfi-samples.ts";

const request = { certificate: sampleCertificate(), packageDigest: sha256Hex("package") };
const key = licenseStoreKey(request);

function recorder() {
  const events: LicenseEvent[] = [];
  return {
    events,
    onEvent: (event: LicenseEvent) => {
      events.push(event);
    },
  };
}

describe("licenseStoreKey", () => {
  it("depends on the whole certificate and on the package, and is safe as a file name", () => {
    expect(key).toMatch(/^[0-9a-f]{64}$/);
    const keys = new Set([key, licenseStoreKey({ ...request, packageDigest: sha256Hex("another") })]);
    for (let offset = 0; offset < 136; offset++) {
      const certificate = Uint8Array.from(request.certificate);
      certificate[offset] = (certificate[offset] ?? 0) ^ 1;
      keys.add(licenseStoreKey({ ...request, certificate }));
    }
    expect(keys.size).toBe(138);
    expect(licenseStoreKey({ ...request, certificate: sampleCertificate(sampleKeyPair(1)) })).toBe(key);
  });

  it("is not made from half a request", () => {
    expect(() => licenseStoreKey({ ...request, certificate: new Uint8Array(135) })).toThrow(RangeError);
    expect(() => licenseStoreKey({ ...request, packageDigest: "" })).toThrow(RangeError);
  });
});

describe("obtainLicense", () => {
  it("issues once and takes the stored license from then on", async () => {
    const source = countedSource();
    const store = memoryStore();
    const { events, onEvent } = recorder();
    const options = { request, source, store, real: true, onEvent };
    const first = await obtainLicense(options);
    expect(first).toMatchObject({ origin: "issued", spent: true });
    const second = await obtainLicense(options);
    expect(second).toEqual({ license: first.license, origin: "store", spent: false });
    expect(source.issued.length).toBe(1);
    const digest = sha256Hex(first.license);
    expect(events).toEqual([
      { kind: "intent", source: "counted", counted: true, key },
      { kind: "stored", source: "counted", counted: true, key, digest },
      { kind: "reused", key, digest },
    ]);
  });

  it("asks for another license for another chip or another package", async () => {
    const source = countedSource();
    const store = memoryStore();
    const { onEvent } = recorder();
    await obtainLicense({ request, source, store, real: true, onEvent });
    const certificate = sampleCertificate(sampleKeyPair(2));
    await obtainLicense({ request: { ...request, certificate }, source, store, real: true, onEvent });
    const packageDigest = sha256Hex("another");
    await obtainLicense({ request: { ...request, packageDigest }, source, store, real: true, onEvent });
    expect(source.issued.length).toBe(3);
    expect(store.kept.size).toBe(3);
  });

  it("has stored the license before it returns it, and asked whether it can before issuing", async () => {
    const store = memoryStore();
    const source = countedSource();
    const issuedAfter: string[][] = [];
    const watching = {
      ...source,
      issue: async () => {
        issuedAfter.push([...store.calls]);
        return genuineLicense(1);
      },
    };
    const { onEvent } = recorder();
    const { license } = await obtainLicense({ request, source: watching, store, real: true, onEvent });
    expect(issuedAfter).toEqual([["load", "checkWritable"]]);
    expect(store.calls).toEqual(["load", "checkWritable", "save"]);
    expect(store.kept.get(key)).toEqual(license);
  });

  it("waits for the intent to be written before it issues", async () => {
    const source = countedSource();
    const onEvent = async ({ kind }: LicenseEvent) => {
      await Promise.resolve();
      if (kind === "intent") throw StationError.of("JOURNAL_UNWRITABLE", { file: "j", detail: "full" });
    };
    await expect(
      obtainLicense({ request, source, store: memoryStore(), real: true, onEvent }),
    ).rejects.toMatchObject({ code: "JOURNAL_UNWRITABLE", licenseSpent: false });
    expect(source.issued).toEqual([]);
  });

  it.each(["load", "checkWritable"] as const)("issues nothing when the store fails to %s", async (call) => {
    const source = countedSource();
    const { events, onEvent } = recorder();
    await expect(
      obtainLicense({ request, source, store: memoryStore([call]), real: true, onEvent }),
    ).rejects.toMatchObject({ code: "LICENSE_STORE_FAILED", licenseSpent: false });
    expect(source.issued).toEqual([]);
    expect(events).toEqual([]);
  });

  it("says that a license is spent when it was issued and could not be stored", async () => {
    const { onEvent } = recorder();
    const failing = { request, store: memoryStore(["save"]), onEvent };
    await expect(obtainLicense({ ...failing, source: countedSource(), real: true })).rejects.toMatchObject({
      code: "LICENSE_STORE_FAILED",
      licenseSpent: true,
    });
    const free = developmentIssuer({ key: sampleKey, nonce: sampleNonce });
    await expect(obtainLicense({ ...failing, source: free, real: false })).rejects.toMatchObject({
      code: "LICENSE_STORE_FAILED",
      licenseSpent: false,
    });
  });

  it("keeps a license whose storing could not be journalled, and says that it is spent", async () => {
    const store = memoryStore();
    const onEvent = ({ kind }: LicenseEvent) => {
      if (kind === "stored") throw StationError.of("JOURNAL_UNWRITABLE", { file: "j", detail: "full" });
    };
    await expect(
      obtainLicense({ request, source: countedSource(), store, real: true, onEvent }),
    ).rejects.toMatchObject({ code: "JOURNAL_UNWRITABLE", licenseSpent: true });
    expect(store.kept.get(key)).toEqual(genuineLicense(1));
  });

  it("refuses a license of the wrong length from a source, and does not store it", async () => {
    const store = memoryStore();
    const { onEvent } = recorder();
    const source = countedSource(() => new Uint8Array(100));
    await expect(obtainLicense({ request, source, store, real: true, onEvent })).rejects.toMatchObject({
      code: "LICENSE_LENGTH",
      licenseSpent: true,
    });
    expect(store.kept.size).toBe(0);
  });

  it("lets no development license near silicon and no genuine one near a virtual chip", async () => {
    const { onEvent } = recorder();
    const store = memoryStore();
    const development = developmentIssuer({ key: sampleKey, nonce: sampleNonce });
    await expect(
      obtainLicense({ request, source: development, store, real: true, onEvent }),
    ).rejects.toMatchObject({ code: "LICENSE_DEVELOPMENT" });
    const genuine = fileLicense(genuineLicense(1), "lic.bin");
    await expect(
      obtainLicense({ request, source: genuine, store, real: false, onEvent }),
    ).rejects.toMatchObject({ code: "LICENSE_GENUINE_ON_VIRTUAL" });
    expect(store.kept.size).toBe(0);
    expect(await obtainLicense({ request, source: development, store, real: false, onEvent })).toMatchObject({
      origin: "issued",
      spent: false,
    });
    await expect(
      obtainLicense({ request, source: countedSource(), store, real: true, onEvent }),
    ).rejects.toMatchObject({ code: "LICENSE_DEVELOPMENT" });
  });

  it("never replaces a stored license by the operator's file", async () => {
    const store = memoryStore();
    const { onEvent } = recorder();
    const first = fileLicense(genuineLicense(1), "one.bin");
    await obtainLicense({ request, source: first, store, real: true, onEvent });
    const other = fileLicense(genuineLicense(2), "two.bin");
    await expect(obtainLicense({ request, source: other, store, real: true, onEvent })).rejects.toMatchObject(
      { code: "LICENSE_MISMATCH", licenseSpent: false },
    );
    expect(store.kept.get(key)).toEqual(genuineLicense(1));
    expect(await obtainLicense({ request, source: first, store, real: true, onEvent })).toMatchObject({
      origin: "store",
    });
    const issuer = countedSource();
    expect(await obtainLicense({ request, source: issuer, store, real: true, onEvent })).toMatchObject({
      license: genuineLicense(1),
      origin: "store",
    });
    expect(issuer.issued).toEqual([]);
  });

  it("checks the operator's file even where a license is stored", async () => {
    const store = memoryStore();
    store.kept.set(key, genuineLicense(1));
    const { onEvent } = recorder();
    const source = fileLicense(new Uint8Array(12), "short.bin");
    await expect(obtainLicense({ request, source, store, real: true, onEvent })).rejects.toMatchObject({
      code: "LICENSE_LENGTH",
    });
  });

  it("passes a source's own error on and names a foreign one", async () => {
    const { onEvent } = recorder();
    const failing = (error: unknown) => ({
      ...countedSource(),
      issue: async (): Promise<Uint8Array> => {
        throw error;
      },
    });
    const known = StationError.of("LICENSE_SOURCE_FAILED", { source: "hsm", detail: "empty" });
    await expect(
      obtainLicense({ request, source: failing(known), store: memoryStore(), real: true, onEvent }),
    ).rejects.toBe(known);
    await expect(
      obtainLicense({
        request,
        source: failing(new TypeError("boom")),
        store: memoryStore(),
        real: true,
        onEvent,
      }),
    ).rejects.toMatchObject({
      code: "LICENSE_SOURCE_FAILED",
      parameters: { source: "counted", detail: "boom" },
    });
  });
});

describe("fileLicense", () => {
  it("gives the file's bytes for every request and costs nothing", async () => {
    const bytes = genuineLicense(3);
    const source = fileLicense(bytes, "lic.bin");
    expect(source).toMatchObject({ name: "file:lic.bin", counted: false });
    await source.check(true);
    bytes.fill(0);
    expect(await source.issue(request)).toEqual(genuineLicense(3));
  });

  it("fails its check on a file of another length", async () => {
    await expect(fileLicense(new Uint8Array(135), "lic.bin").check(false)).rejects.toMatchObject({
      code: "LICENSE_LENGTH",
    });
  });
});
