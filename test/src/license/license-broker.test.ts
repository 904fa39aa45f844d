import { createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { openFileLedger } from "../../../drivers/licenses/file-ledger.ts";
import { concatBytes } from "../../../src/bytes/bytes.ts";
import { sha256Hex } from "../../../src/bytes/digest.ts";
import { licenseFolder } from "../../../src/cli/license-folder.ts";
import { StationError } from "../../../src/errors/station-error.ts";
import { licenseStoreKey, obtainLicense } from "../../../src/license/broker.ts";
import { brokeredSource, ledgeredStore } from "../../../src/license/brokered.ts";
import { fileLicense } from "../../../src/license/file-source.ts";
import {
  type BrokerPolicy,
  cautiousPolicy,
  createLicenseBroker,
} from "../../../src/license/license-broker.ts";
import type { Clock, LedgerRecord, LicenseSource } from "../../../src/ports/index.ts";
import { requestOf } from "../../support/license-requests.ts";
import { genuineLicense, sampleCertificate } from "../../support/license-samples.ts";
import { temporaryFolder } from "../../support/sfi.ts";

const source = "hsm:scripted";
const request = requestOf(1);

/** What the token does with one request. */
interface Answer {
  /** By how much its counter falls. */
  readonly spends?: number;
  readonly error?: StationError | Error;
  readonly license?: Uint8Array;
  /** Errors of the next readings of its state. */
  readonly thenUnreadable?: readonly (StationError | Error)[];
}

const crash = StationError.of("PKCS11_CRASHED", {
  module: "m",
  signal: "SIGSEGV",
  operation: "issue",
  output: "",
});
const definite = StationError.of("PKCS11_ERROR", { operation: "issue", ckr: "CKR_FUNCTION_FAILED" });
const pinRefused = StationError.of("HSM_PIN_REFUSED", { token: "t", ckr: "CKR_PIN_INCORRECT" });
const noToken = StationError.of("HSM_NO_TOKEN", { module: "m", detail: "no card" });

async function bench(options: { readonly counter?: number; readonly policy?: Partial<BrokerPolicy> } = {}) {
  const folder = temporaryFolder();
  const notices: string[] = [];
  const sleeps: number[] = [];
  let nowMs = 0;
  const clock: Clock = {
    now: () => new Date(nowMs),
    monotonicMs: () => nowMs,
    sleep: async (durationMs) => {
      sleeps.push(durationMs);
      nowMs += durationMs;
    },
  };
  const token = {
    counter: options.counter ?? 100,
    state: { ready: true, detail: "OPERATIONAL_STATE", firmwareId: "product-1" as string | undefined },
    countable: true,
    answers: [] as Answer[],
    unreadable: [] as (StationError | Error)[],
    asked: 0,
    read: 0,
  };
  const counted: LicenseSource = {
    name: source,
    counted: true,
    check: async () => {},
    async inspect() {
      token.read++;
      const error = token.unreadable.shift();
      if (error !== undefined) throw error;
      return { ...token.state, remaining: token.countable ? token.counter : undefined };
    },
    async issue() {
      token.asked++;
      const { spends = 1, error, license, thenUnreadable = [] } = token.answers.shift() ?? {};
      token.counter -= spends;
      token.unreadable.push(...thenUnreadable);
      if (error !== undefined) throw error;
      return license ?? genuineLicense(token.asked);
    },
  };
  const openStation = async (policy: Partial<BrokerPolicy> = {}) => {
    const ledger = await openFileLedger(join(folder, "ledger.ndjson"), {
      station: "test",
      onNotice: (notice) => notices.push(notice),
    });
    const store = licenseFolder(folder);
    const broker = createLicenseBroker({
      source: counted,
      ledger,
      store,
      clock,
      policy: { ...cautiousPolicy, ...options.policy, ...policy },
      onNotice: (notice) => notices.push(notice),
    });
    onTestFinished(() => ledger.close());
    return { ledger, store, broker };
  };
  const station = await openStation();
  const kinds = async () => {
    const records: LedgerRecord[] = [];
    for await (const record of station.ledger.records()) records.push(record);
    return records.map(({ kind }) => kind);
  };
  return { ...station, counted, token, notices, sleeps, kinds, openStation, clock };
}

describe("the order of work", () => {
  it("opens the account, reserves, asks, enters, and serves from then on without asking", async () => {
    const { broker, token, kinds, ledger } = await bench();
    const first = await broker.obtain(request);
    const second = await broker.obtain(request);
    expect([first.issued, second.issued]).toEqual([true, false]);
    expect(second.license).toEqual(first.license);
    expect(token.asked).toBe(1);
    expect(await kinds()).toEqual(["open", "reserve", "issued", "served"]);
    expect(await ledger.account(source)).toMatchObject({ opened: 100, counter: 99, issued: 1 });
  });

  it("joins requests for the same chip and keeps others apart", async () => {
    const { broker, token } = await bench();
    const same = await Promise.all(Array.from({ length: 10 }, () => broker.obtain(request)));
    expect(new Set(same.map(({ license }) => sha256Hex(license))).size).toBe(1);
    expect(same.filter(({ issued }) => issued)).toHaveLength(1);
    await Promise.all([2, 3, 4].map((chip) => broker.obtain(requestOf(chip))));
    expect(token.asked).toBe(4);
  });

  it("keys by certificate, firmware id and protocol, so another package of the same firmware costs nothing", async () => {
    const { broker, token } = await bench();
    const { key } = await broker.obtain(request);
    const other = { ...request, packageDigest: sha256Hex("another package") };
    expect(await broker.obtain(other)).toMatchObject({ key, issued: false });
    token.state.firmwareId = "product-2";
    expect(await broker.obtain(request)).toMatchObject({ issued: true });
    expect(licenseStoreKey({ ...request, firmwareId: "product-1" })).toBe(key);
  });

  it("serves a chip that has its license while the source is away or empty", async () => {
    const { broker, token } = await bench({ counter: 1 });
    await broker.obtain(request);
    await expect(broker.obtain(requestOf(2))).rejects.toMatchObject({ code: "HSM_EXHAUSTED" });
    token.unreadable.push(noToken);
    const named = { ...request, firmwareId: "product-1" };
    expect(await broker.obtain(named)).toMatchObject({ issued: false });
    expect(token.asked).toBe(1);
  });

  it("asks nothing of a source that is not ready, holds another firmware, or for a bad certificate", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    const authorityPem = publicKey.export({ type: "spki", format: "pem" }).toString();
    const { broker, token, kinds, openStation } = await bench();
    await expect(broker.obtain({ ...request, firmwareId: "product-9" })).rejects.toMatchObject({
      code: "HSM_FIRMWARE_ID_WRONG",
    });
    token.state = { ...token.state, ready: false, detail: "OEM_STATE" };
    await expect(broker.obtain(request)).rejects.toMatchObject({ code: "HSM_STATE_UNFIT" });
    token.state = { ...token.state, ready: true };
    const off = Uint8Array.from(request.certificate);
    off[20] = off[20]! ^ 1;
    for (const certificate of [request.certificate.subarray(1), off]) {
      await expect(broker.obtain({ ...request, certificate })).rejects.toMatchObject({
        code: "CERTIFICATE_INVALID",
      });
    }
    const strict = await openStation({ certificates: { authorityPem, productIds: ["45002001"] } });
    await expect(strict.broker.obtain(request)).rejects.toMatchObject({
      code: "CERTIFICATE_INVALID",
      message: expect.stringContaining("signature"),
    });
    const wrongProduct = await openStation({ certificates: { productIds: ["46201002"] } });
    await expect(wrongProduct.broker.obtain(request)).rejects.toMatchObject({
      message: expect.stringContaining("46201002"),
    });
    expect(token.asked).toBe(0);
    expect(await kinds()).not.toContain("reserve");
    const body = sampleCertificate().subarray(0, 72);
    const key = createPrivateKey(privateKey.export({ type: "pkcs8", format: "pem" }));
    const signature = sign("sha256", body, { key, dsaEncoding: "ieee-p1363" });
    const certificate = concatBytes(body, new Uint8Array(signature));
    expect(await strict.broker.obtain({ ...request, certificate })).toMatchObject({ issued: true });
  });
});

describe("the retry table", () => {
  it.each([
    ["PIN refused", pinRefused],
    ["no token", noToken],
  ])("nothing was sent (%s): released, no second try", async (_, error) => {
    const { broker, token, kinds } = await bench();
    token.answers.push({ spends: 0, error });
    await expect(broker.obtain(request)).rejects.toBe(error);
    expect(token.asked).toBe(1);
    expect(await kinds()).toEqual(["open", "reserve", "released"]);
  });

  it("a missing token is waited for as long as the operator allowed, a refused PIN never", async () => {
    const { broker, token, sleeps } = await bench({ policy: { waitForSourceMs: 2000 } });
    token.unreadable.push(noToken, noToken, noToken);
    expect(await broker.obtain(request)).toMatchObject({ issued: true });
    expect(sleeps).toEqual([500, 500, 500]);
    token.unreadable.push(...Array.from({ length: 9 }, () => noToken));
    await expect(broker.obtain(requestOf(2))).rejects.toBe(noToken);
    token.unreadable.length = 0;
    token.unreadable.push(pinRefused);
    const before = token.read;
    await expect(broker.obtain(requestOf(2))).rejects.toBe(pinRefused);
    expect(token.read).toBe(before + 1);
  });

  it("the counter read: crash or timeout is repeated twice, after 0.2 s and 1 s, and no more", async () => {
    const { broker, token, sleeps } = await bench();
    token.unreadable.push(crash, crash);
    expect(await broker.obtain(request)).toMatchObject({ issued: true });
    expect(sleeps).toEqual([200, 1000]);
    token.unreadable.push(crash, crash, crash);
    await expect(broker.obtain(requestOf(2))).rejects.toBe(crash);
    expect(token.asked).toBe(1);
  });

  it.each([
    ["a definite error", definite],
    ["an unknown outcome", crash],
    ["a torn answer", undefined],
  ])("%s with the counter unchanged: released, one retry", async (_, error) => {
    const { broker, token, kinds } = await bench();
    const answer = error === undefined ? { spends: 0, license: new Uint8Array(50) } : { spends: 0, error };
    token.answers.push(answer);
    expect(await broker.obtain(request)).toMatchObject({ issued: true });
    expect(await kinds()).toEqual(["open", "reserve", "released", "reserve", "issued"]);
    token.answers.push(answer, answer);
    await expect(broker.obtain(requestOf(2))).rejects.toMatchObject({
      code: error?.code ?? "LICENSE_LENGTH",
    });
    expect(token.asked).toBe(4);
    expect(token.counter).toBe(99);
  });

  it("unknown outcome and the counter fell: burned, and no second one without the operator's word", async () => {
    const { broker, token, kinds, openStation, ledger } = await bench();
    token.answers.push({ spends: 1, error: crash });
    await expect(broker.obtain(request)).rejects.toMatchObject({
      code: "LICENSE_BURNED",
      licenseSpent: true,
      parameters: { before: 100, after: 99 },
    });
    await expect(broker.obtain(request)).rejects.toMatchObject({ code: "LICENSE_BURNED" });
    const later = await openStation();
    await expect(later.broker.obtain(request)).rejects.toMatchObject({ code: "LICENSE_BURNED" });
    expect(token.asked).toBe(1);
    const allowed = await openStation({ allowBurn: 1 });
    expect(await allowed.broker.obtain(request)).toMatchObject({ issued: true });
    expect(await kinds()).toEqual(["open", "reserve", "burned", "reserve", "issued"]);
    expect(await ledger.account(source)).toMatchObject({ issued: 1, burned: 1, counter: 98 });
  });

  it("--allow-burn 1 stands for one lost license, not for more", async () => {
    const { broker, token } = await bench({ policy: { allowBurn: 1 } });
    token.answers.push({ error: crash }, { error: crash });
    await expect(broker.obtain(request)).rejects.toMatchObject({ code: "LICENSE_BURNED" });
    expect(token.asked).toBe(2);
    await expect(broker.obtain(request)).resolves.toMatchObject({ issued: true });
    expect(token.counter).toBe(97);
  });

  it("unknown outcome and the counter unreadable: stop, keep the reservation; the counter decides later", async () => {
    const { broker, token, kinds, notices } = await bench();
    token.answers.push({ spends: 1, error: crash, thenUnreadable: [crash, crash, crash] });
    await expect(broker.obtain(request)).rejects.toMatchObject({ code: "LICENSE_OUTCOME_UNKNOWN" });
    expect(await kinds()).toEqual(["open", "reserve"]);
    token.unreadable.push(crash, crash, crash);
    await expect(broker.obtain(request)).rejects.toMatchObject({ code: "LICENSE_OUTCOME_UNKNOWN" });
    // Another chip must not go on over it either.
    token.unreadable.push(crash, crash, crash);
    await expect(broker.obtain(requestOf(2))).rejects.toMatchObject({ code: "LICENSE_OUTCOME_UNKNOWN" });
    expect(token.asked).toBe(1);
    await expect(broker.obtain(request)).rejects.toMatchObject({ code: "LICENSE_BURNED" });
    expect(notices).toContainEqual(expect.stringContaining("was lost"));
    expect(await broker.obtain(requestOf(2))).toMatchObject({ issued: true });
  });

  it("a source that counts and cannot tell its counter: what failed is burned", async () => {
    const { broker, token, kinds } = await bench();
    token.countable = false;
    token.answers.push({ error: crash });
    await expect(broker.obtain(request)).rejects.toMatchObject({ code: "LICENSE_BURNED" });
    expect(await kinds()).toEqual(["reserve", "burned"]);
  });

  it("a license in hand is kept although the counter cannot be read behind it", async () => {
    const { broker, token, notices } = await bench();
    token.answers.push({ thenUnreadable: [crash, crash, crash] });
    expect(await broker.obtain(request)).toMatchObject({ issued: true });
    expect(notices).toContainEqual(expect.stringContaining("could not be read"));
    expect(await broker.obtain(requestOf(2))).toMatchObject({ issued: true });
  });
});

describe("reconciliation", () => {
  it("licenses used elsewhere: said and entered, or a stop with --strict-counter", async () => {
    const { broker, token, notices, ledger, openStation } = await bench();
    await broker.obtain(request);
    token.counter -= 5;
    const strict = await openStation({ strictCounter: true });
    await expect(strict.broker.obtain(requestOf(2))).rejects.toMatchObject({
      code: "LEDGER_COUNTER_LOWERED",
      parameters: { missing: 5 },
    });
    await broker.obtain(requestOf(2));
    expect(notices).toContainEqual(expect.stringContaining("5 were used outside"));
    expect(await ledger.account(source)).toMatchObject({ outside: 5, issued: 2, counter: 93 });
  });

  it("a request that cost more than one: the rest is found right after it", async () => {
    const { broker, token, ledger } = await bench();
    token.answers.push({ spends: 3 });
    await broker.obtain(request);
    expect(await ledger.account(source)).toMatchObject({ issued: 1, outside: 2, counter: 97 });
  });

  it("a counter that went up is another card: stop until the operator says it is right", async () => {
    const { broker, token, ledger } = await bench();
    await broker.obtain(request);
    token.counter = 300;
    await expect(broker.obtain(requestOf(2))).rejects.toMatchObject({
      code: "LEDGER_COUNTER_RAISED",
      parameters: { expected: 99, actual: 300 },
    });
    expect(token.asked).toBe(1);
    await ledger.append({ kind: "reconcile", source, counter: 300, accepted: true, reason: "new card" });
    expect(await broker.obtain(requestOf(2))).toMatchObject({ issued: true });
  });

  it("warns at low water and refuses a batch that cannot be finished", async () => {
    const { broker, token, notices } = await bench({ counter: 52 });
    await broker.obtain(request);
    expect(notices).toEqual([]);
    await broker.obtain(requestOf(2));
    expect(notices).toEqual([`${source}: 50 licenses left`]);
    token.counter = 3;
    const batch = (chips: number) => Array.from({ length: chips }, (_, index) => requestOf(index + 1));
    expect(await broker.checkBatch(batch(5))).toBe(3);
    await expect(broker.checkBatch(batch(6))).rejects.toMatchObject({
      code: "LICENSE_BATCH_TOO_LARGE",
      parameters: { needed: 4, remaining: 3 },
    });
  });
});

describe("what is kept", () => {
  it("a refusal is tried once more with the same license; a third use needs the operator", async () => {
    const { broker, token, ledger, store } = await bench();
    const { key, license } = await broker.obtain(request);
    const kept = ledgeredStore({ ledger, store });
    await kept.suspect?.(key, "RSS refused");
    expect(await kept.load(key)).toEqual(license);
    await kept.suspect?.(key, "RSS refused");
    await expect(kept.load(key)).rejects.toMatchObject({ code: "LICENSE_SUSPECT", parameters: { count: 2 } });
    await expect(broker.obtain(request)).rejects.toMatchObject({ code: "LICENSE_SUSPECT" });
    expect(token.asked).toBe(1);
    await ledger.append({ kind: "cleared", key, reason: "package was wrong" });
    expect(await kept.load(key)).toEqual(license);
    await ledger.append({ kind: "forgotten", key, reason: "wrong personalization" });
    const renewed = await broker.obtain(request);
    expect(renewed.issued).toBe(true);
    expect(renewed.license).not.toEqual(license);
    expect(await kept.load(key)).toEqual(renewed.license);
  });

  it("folder and ledger heal each other: a missing file is written again, a file from before is adopted", async () => {
    const { broker, ledger, store, token, kinds } = await bench();
    const old = genuineLicense(77);
    const key = licenseStoreKey({ ...request, firmwareId: "product-1" });
    await store.save(key, old);
    expect(await broker.obtain(request)).toMatchObject({ issued: false, license: old });
    expect(await kinds()).toEqual(["open", "adopted", "served"]);
    await store.setAside?.(key);
    expect(await ledgeredStore({ ledger, store }).load(key)).toEqual(old);
    expect(await store.load(key)).toEqual(old);
    expect(token.asked).toBe(0);
    await store.setAside?.(key);
    await store.save(key, genuineLicense(78));
    await expect(broker.obtain(request)).rejects.toMatchObject({ code: "LICENSE_STORE_DAMAGED" });
  });

  it("an issued license survives a folder that cannot be written: the ledger has it", async () => {
    const { counted, ledger, clock } = await bench();
    const failed = StationError.of("LICENSE_STORE_FAILED", { folder: "f", detail: "full" });
    const full = {
      load: async () => undefined,
      save: async () => Promise.reject(failed),
      checkWritable: async () => {},
    };
    const options = { source: counted, ledger, clock, policy: cautiousPolicy, onNotice: () => undefined };
    const broker = createLicenseBroker({ ...options, store: full });
    await expect(broker.obtain(request)).rejects.toMatchObject({
      code: "LICENSE_STORE_FAILED",
      licenseSpent: true,
    });
    const better = createLicenseBroker({ ...options, store: licenseFolder(temporaryFolder()) });
    expect(await better.obtain(request)).toMatchObject({ issued: false, license: genuineLicense(1) });
  });

  it("a run goes through it unchanged, and a license file is recorded without cost", async () => {
    const { ledger, store, clock, kinds } = await bench();
    const given = fileLicense(genuineLicense(5), "lic.bin");
    const broker = createLicenseBroker({
      source: given,
      ledger,
      store,
      clock,
      policy: cautiousPolicy,
      onNotice: () => undefined,
    });
    const run = {
      request,
      source: brokeredSource(given, broker, ledger),
      store: ledgeredStore({ ledger, store }),
      real: true,
      onEvent: () => undefined,
    };
    expect(await obtainLicense(run)).toMatchObject({ origin: "issued", spent: false });
    expect(await obtainLicense(run)).toMatchObject({ origin: "store", license: genuineLicense(5) });
    expect(await kinds()).toEqual(["reserve", "issued"]);
    const other = fileLicense(genuineLicense(6), "other.bin");
    await expect(
      obtainLicense({ ...run, source: brokeredSource(other, broker, ledger) }),
    ).rejects.toMatchObject({ code: "LICENSE_MISMATCH" });
  });
});
