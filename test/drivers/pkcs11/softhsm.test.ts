import { readFileSync } from "node:fs";
import { describe, expect, it, onTestFinished } from "vitest";
import { developmentTokenSource } from "../../../drivers/pkcs11/development-source.ts";
import { createTokenClient, type TokenClient } from "../../../drivers/pkcs11/token-client.ts";
import { readVendorHsm } from "../../../drivers/pkcs11/vendor-diagnosis.ts";
import { toHex } from "../../../src/bytes/hex.ts";
import { isStationError, type StationError } from "../../../src/errors/station-error.ts";
import { firmwareSecret } from "../../../src/package/keys.ts";
import { sampleCertificate, sampleKeyPair } from "../../support/license-samples.ts";
import { openDevelopmentLicense } from "../../support/open-license.ts";
import { childFile, initToken, type SoftToken, softHsmMissing, softToken } from "../../support/pkcs11.ts";
import { sampleKey, sampleNonce } from "../../support/sample-job.ts";

const chip = sampleKeyPair(1);
const request = { certificate: sampleCertificate(chip), packageDigest: "ab".repeat(32) };
const secret = toHex(firmwareSecret(sampleKey, sampleNonce));

function options(
  { module, label, pin, env }: SoftToken,
  given: { readonly pin?: string | undefined } = { pin },
) {
  return { module, token: { label }, env, childFile, pin: async () => given.pin };
}

function clientOf(token: SoftToken, given?: { readonly pin?: string | undefined }): TokenClient {
  const client = createTokenClient(options(token, given));
  onTestFinished(() => client.close());
  return client;
}

function sourceOf(token: SoftToken, more: { readonly firmwareId?: string; readonly pin?: string } = {}) {
  const source = developmentTokenSource({
    ...options(token, { pin: more.pin ?? token.pin }),
    firmwareId: more.firmwareId,
  });
  onTestFinished(() => source.close());
  return source;
}

/** A token with a key on it, let go of again. */
async function provisioned(maximum: number, lock = true): Promise<SoftToken> {
  const token = softToken();
  const client = createTokenClient(options(token));
  await client.provision({ firmwareId: "FW_A", secret, maximum, lock });
  await client.close();
  return token;
}

async function errorOf(work: Promise<unknown>): Promise<StationError> {
  try {
    await work;
  } catch (error) {
    if (isStationError(error)) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

describe.skipIf(softHsmMissing !== "")(`development token on SoftHSM2 ${softHsmMissing}`, () => {
  it("is loaded with its own libraries on Linux", async () => {
    const info = await clientOf(softToken()).open();
    expect(info.manufacturer).toBe("SoftHSM");
    expect(info.deep).toBe(process.platform === "linux");
  });

  it("issues licenses that the chip opens, each another one, and counts them", async () => {
    const source = sourceOf(await provisioned(3));
    await source.check(false);
    const licenses = [await source.issue(request), await source.issue(request)];
    for (const license of licenses) {
      expect(toHex(openDevelopmentLicense(license, chip.privateKey))).toBe(secret);
    }
    expect(toHex(licenses[0]!)).not.toBe(toHex(licenses[1]!));
    expect(await source.inspect!()).toEqual({
      ready: true,
      remaining: 1,
      firmwareId: "FW_A",
      detail: "OPERATIONAL_STATE",
    });
  });

  it("issues its last license and no more", async () => {
    const source = sourceOf(await provisioned(1));
    await source.issue(request);
    expect(await source.inspect!()).toMatchObject({ ready: false, remaining: 0 });
    expect((await errorOf(source.check(false))).code).toBe("HSM_EXHAUSTED");
    const error = await errorOf(source.issue(request));
    expect([error.code, error.licenseSpent]).toEqual(["HSM_EXHAUSTED", false]);
  });

  it("state, counter and firmware id need no PIN; the key cannot be had without it", async () => {
    const token = await provisioned(5);
    const client = clientOf(token, { pin: undefined });
    expect(await client.state()).toMatchObject({
      state: "OPERATIONAL_STATE",
      firmwareId: "FW_A",
      counter: 5,
    });
    expect(await client.findData("secret")).toBeNull();
    const input = { chipKey: chip.publicKey, header: new Uint8Array(24) };
    expect((await errorOf(client.issue(input))).code).toBe("HSM_PIN_MISSING");
    expect((await client.state()).counter).toBe(5);
  });

  it("refuses silicon, another firmware id, an unlocked token, an empty one", async () => {
    expect((await errorOf(sourceOf(await provisioned(1)).check(true))).code).toBe("LICENSE_DEVELOPMENT");
    const other = await errorOf(sourceOf(await provisioned(1), { firmwareId: "FW_B" }).check(false));
    expect(other.parameters).toMatchObject({ actual: "FW_A", expected: "FW_B" });
    const unlocked = sourceOf(await provisioned(1, false));
    expect((await errorOf(unlocked.check(false))).parameters["state"]).toBe("OEM_STATE");
    expect((await errorOf(unlocked.issue(request))).code).toBe("HSM_STATE_UNFIT");
    expect((await errorOf(sourceOf(softToken()).check(false))).parameters["state"]).toBe("ST_STATE");
  });

  it("is provisioned again until it is locked", async () => {
    const client = clientOf(softToken());
    const content = { firmwareId: "FW_A", secret, maximum: 10, lock: false };
    await client.provision(content);
    expect(await client.provision({ ...content, firmwareId: "FW_B", maximum: 7 })).toMatchObject({
      state: "OEM_STATE",
      firmwareId: "FW_B",
      counter: 7,
    });
    expect((await client.provision({ ...content, lock: true })).state).toBe("OPERATIONAL_STATE");
    expect((await errorOf(client.provision(content))).code).toBe("HSM_ALREADY_LOCKED");
  });

  it("a wrong PIN is refused, named without the PIN, and nothing is counted", async () => {
    const token = await provisioned(2);
    const source = sourceOf(token, { pin: "wrong-pin-4711" });
    const error = await errorOf(source.check(false));
    expect(error.code).toBe("HSM_PIN_REFUSED");
    expect(JSON.stringify(error.toRecord())).not.toContain("4711");
    expect((await errorOf(source.issue(request))).code).toBe("HSM_PIN_REFUSED");
    expect((await source.inspect!()).remaining).toBe(2);
  });

  it("a missing token is named with those that are there", async () => {
    const token = softToken();
    const error = await errorOf(clientOf({ ...token, label: "other" }).state());
    expect(error.code).toBe("HSM_TOKEN_NOT_FOUND");
    expect(error.message).toMatch(/no token other; present: sfi-dev \(serial [0-9a-f]{16}\)$/);
  });

  it("of two tokens with one label the serial number decides", async () => {
    const token = softToken();
    initToken(token.env, token.label);
    const client = clientOf(token);
    const serials = (await client.open()).tokens
      .filter(({ label }) => label !== "")
      .map(({ serial }) => serial);
    expect((await errorOf(client.state())).parameters["serials"]).toBe(serials.join(", "));
    await client.close();
    const chosen = createTokenClient({
      ...options(token),
      token: { label: token.label, serial: serials[1]! },
    });
    onTestFinished(() => chosen.close());
    expect((await chosen.state()).token.serial).toBe(serials[1]);
  });

  it("has one owner at a time", async () => {
    const token = softToken();
    const first = clientOf(token);
    await first.open();
    const second = clientOf(token);
    const error = await errorOf(second.state());
    expect([error.code, error.parameters["pid"]]).toEqual(["HSM_IN_USE", String(process.pid)]);
    await first.close();
    expect((await second.state()).state).toBe("ST_STATE");
  });

  it.skipIf(process.platform !== "linux")(
    "the PIN is in no argument and no environment of the child",
    async () => {
      const token = softToken();
      const client = clientOf(token);
      await client.login();
      const pid = client.bridge.pid!;
      const seen = ["cmdline", "environ"].map((name) => readFileSync(`/proc/${pid}/${name}`, "latin1"));
      expect(seen[0]).toContain("child.js");
      expect(seen[1]).toContain("SOFTHSM2_CONF");
      for (const text of seen) expect(text).not.toContain(token.pin);
    },
  );

  it("kill -9 at any moment of issuing: the counter agrees with what the error says", async () => {
    let minutes = 0;
    const client = createTokenClient({
      ...options(await provisioned(1000)),
      // Every look at the clock is minutes later, so that dying this often is no reason to give up.
      monotonicMs: () => 120_000 * minutes++,
    });
    onTestFinished(() => client.close());
    let left = 1000;
    for (let turns = 0; turns < 24; turns++) {
      await client.login();
      const pid = client.bridge.pid!;
      const issuing = client.issue({ chipKey: chip.publicKey, header: new Uint8Array(24) }).then(
        ({ counter }) => ({ counter }),
        (error: unknown) => ({ error }),
      );
      for (let turn = 0; turn < turns * 4; turn++) await new Promise((resolve) => setImmediate(resolve));
      killIfThere(pid);
      const end = await issuing;
      const { counter, state } = await retried(() => client.state());
      expect(state).toBe("OPERATIONAL_STATE");
      // Given out means counted; not given out may have been counted, once.
      if ("counter" in end) expect(counter).toBe(left - 1);
      else expect([left, left - 1]).toContain(counter);
      left = counter!;
    }
  });

  it("a license lost on the way is reported as spent", async () => {
    const token = await provisioned(5);
    const source = developmentTokenSource({
      ...options(token),
      // No card answers that fast; the request itself goes on, so the counter falls and the answer is lost.
      deadlinesMs: { issue: 0 },
      firmwareId: undefined,
    });
    onTestFinished(() => source.close());
    const error = await errorOf(source.issue(request));
    const { remaining } = await source.inspect!();
    if (remaining === 5) expect([error.code, error.licenseSpent]).toEqual(["PKCS11_HUNG", false]);
    else expect([error.code, error.licenseSpent]).toEqual(["HSM_LICENSE_LOST", true]);
  });

  it("the way of the vendor's module reads the firmware id object and nothing else", async () => {
    const { module, env } = await provisioned(5);
    const { info, firmwareId } = await readVendorHsm({ module, env, childFile });
    expect(firmwareId).toBe("FW_A");
    expect(info.tokens[0]!.label).toBe("sfi-dev");
  });
});

/** A child that died between two requests is noticed when its end is; the request that met it is asked again. */
async function retried<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!isStationError(error, "PKCS11_CRASHED", "PKCS11_BROKEN_PIPE")) throw error;
    return work();
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
