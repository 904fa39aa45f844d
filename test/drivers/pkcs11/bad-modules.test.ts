import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Bridge, type BridgeOptions, createBridge } from "../../../drivers/pkcs11/bridge.ts";
import { createTokenClient } from "../../../drivers/pkcs11/token-client.ts";
import { isStationError, type StationError } from "../../../src/errors/station-error.ts";
import { badModule, childFile, compilerMissing, libraryOf, markedPin } from "../../support/pkcs11.ts";
import { projectRoot } from "../../support/sample-job.ts";
import { temporaryFolder } from "../../support/sfi.ts";

function bridgeTo(module: string, options: Partial<BridgeOptions> = {}): Bridge {
  const bridge = createBridge({ module, env: process.env, childFile, ...options });
  onTestFinished(() => bridge.close());
  return bridge;
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

const token = { label: "bad" };
/** Short, because the module never answers: what is waited for is the deadline itself. */
const soon = { open: 1500, missingMechanisms: 300 };

describe.skipIf(compilerMissing !== "")(`bad PKCS#11 modules ${compilerMissing}`, () => {
  it("a good one opens, answers and shows its token", async () => {
    const bridge = bridgeTo(badModule("good"));
    const info = await bridge.open();
    expect(info).toMatchObject({ manufacturer: "Test", library: "Bad module", slots: 1 });
    expect(info.tokens.map(({ label }) => label)).toEqual(["bad"]);
    expect(await bridge.call("ping", {})).toBe("pong");
  });

  it("a crash is the module's own: named, with its signal, and the next request starts it again", async () => {
    const module = badModule("segv");
    const bridge = bridgeTo(module);
    const error = await errorOf(bridge.open());
    expect(error.code).toBe("PKCS11_CRASHED");
    expect(error.parameters).toMatchObject({ module, signal: "SIGSEGV", operation: "open" });
    expect((await errorOf(bridge.open())).code).toBe("PKCS11_CRASHED");
    expect(bridge.generation).toBe(2);
  });

  it("abort() is told apart from a crash, with the module's last words", async () => {
    const error = await errorOf(bridgeTo(badModule("aborts")).open());
    expect(error.code).toBe("PKCS11_ABORTED");
    expect(error.message).toContain("assertion failed");
  });

  it("exit() ends the module's process only", async () => {
    const error = await errorOf(bridgeTo(badModule("exits")).open());
    expect(error.code).toBe("PKCS11_EXITED");
    expect(error.parameters["exitCode"]).toBe(3);
    expect(error.message).toContain("no configuration, giving up");
  });

  it("a hang at the start ends at its deadline", async () => {
    const error = await errorOf(bridgeTo(badModule("hang-at-start"), { deadlinesMs: soon }).open());
    expect(error.code).toBe("PKCS11_HUNG_AT_START");
    expect(error.parameters["timeoutMs"]).toBe(1500);
  });

  it("a hang ends what the module had started, too", async () => {
    const bridge = bridgeTo(badModule("hang-with-child"), { deadlinesMs: soon });
    const opening = errorOf(bridge.open());
    const group = bridge.pid!;
    expect((await opening).code).toBe("PKCS11_HUNG_AT_START");
    // The process group is gone as soon as its last member was reaped.
    await expect.poll(() => alive(-group), { timeout: 10_000 }).toBe(false);
  });

  it("a later hang names the operation; the module works again afterwards", async () => {
    const bridge = bridgeTo(badModule("hang-later"), { deadlinesMs: soon });
    const error = await errorOf(bridge.call("missingMechanisms", { token }));
    expect(error.code).toBe("PKCS11_HUNG");
    expect(error.parameters).toMatchObject({ operation: "missingMechanisms", timeoutMs: 300 });
    expect(await bridge.call("ping", {})).toBe("pong");
    expect(bridge.generation).toBe(2);
  });

  it("kill -9 in the middle of a request is a crash of that request; the next one works", async () => {
    const bridge = bridgeTo(badModule("hang-later"));
    const asking = errorOf(bridge.call("missingMechanisms", { token }));
    await expect.poll(() => bridge.output(), { timeout: 10_000 }).toContain("now it hangs");
    process.kill(bridge.pid!, "SIGKILL");
    expect((await asking).parameters).toMatchObject({ signal: "SIGKILL", operation: "missingMechanisms" });
    expect(await bridge.call("ping", {})).toBe("pong");
  });

  it("chatter, even in the shape of answers, does not disturb", async () => {
    const bridge = bridgeTo(badModule("chatter"));
    expect((await bridge.open()).tokens).toHaveLength(1);
    expect(await bridge.call("ping", {})).toBe("pong");
    await expect.poll(() => bridge.output(), { timeout: 10_000 }).toMatch(/vendor chatter \d+/);
    expect(bridge.output().length).toBeLessThanOrEqual(64 * 1024);
  });

  it("garbage in the protocol's own pipe ends the process, named", async () => {
    const error = await errorOf(bridgeTo(badModule("disturbs-pipe")).open());
    expect(error.code).toBe("PKCS11_BROKEN_PIPE");
  });

  it("a C_Initialize that fails is named by its return code", async () => {
    const error = await errorOf(bridgeTo(badModule("general-error")).open());
    expect([error.code, error.parameters["ckr"]]).toEqual(["PKCS11_INIT_FAILED", "CKR_GENERAL_ERROR"]);
  });

  it("a library without C_GetFunctionList is no PKCS#11 module", async () => {
    const error = await errorOf(bridgeTo(libraryOf("int answer = 42;", "other.so")).open());
    expect(error.code).toBe("PKCS11_NO_FUNCTION_LIST");
  });

  it("a missing library is named", async () => {
    const needed = libraryOf("int old_function(void) { return 1; }", "libsfiold.so.1");
    const module = libraryOf(
      "int old_function(void); int C_GetFunctionList(void) { return old_function(); }",
      "needs.so",
      [`-L${dirname(needed)}`, "-l:libsfiold.so.1"],
    );
    rmSync(needed);
    const error = await errorOf(bridgeTo(module).open());
    expect([error.code, error.parameters["library"]]).toEqual(["PKCS11_LIBRARY_MISSING", "libsfiold.so.1"]);
  });

  it("no file, no library, no absolute path", async () => {
    const text = join(temporaryFolder(), "text.so");
    writeFileSync(text, "not a library");
    expect((await errorOf(bridgeTo(text).open())).code).toBe("PKCS11_LOAD_FAILED");
    expect((await errorOf(bridgeTo("/no/such/module.so").open())).code).toBe("PKCS11_LOAD_FAILED");
    expect(() => bridgeTo("module.so")).toThrow(/not absolute/);
  });

  it.skipIf(process.platform !== "linux")(
    "a module gets its own library, not the one inside Node",
    async () => {
      // Node exports its own OpenSSL_version to everything it loads.
      const own = libraryOf('const char *OpenSSL_version(int n) { return "stand-in"; }', "libsfissl.so.1");
      const words = [`-L${dirname(own)}`, `-Wl,-rpath,${dirname(own)}`, "-l:libsfissl.so.1"];
      const bridge = bridgeTo(badModule("tells-openssl", words));
      expect((await bridge.open()).deep).toBe(true);
      await expect.poll(() => bridge.output(), { timeout: 10_000 }).toBe("OpenSSL: stand-in\n");
    },
  );

  it("a station without pkcs11js says what is missing", async () => {
    const folder = temporaryFolder();
    for (const part of ["drivers/pkcs11", "src/bytes", "src/errors"]) {
      cpSync(join(projectRoot, "dist", part), join(folder, part), { recursive: true });
    }
    writeFileSync(join(folder, "package.json"), '{"type":"module"}');
    const bridge = bridgeTo(badModule("good"), { childFile: join(folder, "drivers/pkcs11/child.js") });
    const error = await errorOf(bridge.open());
    expect([error.code, error.exit]).toEqual(["PKCS11_UNAVAILABLE", 6]);
    expect(error.remedy).toContain("npm rebuild pkcs11js");
  });

  it("three deaths within a minute are enough; after the minute it may try again", async () => {
    let nowMs = 0;
    const bridge = bridgeTo(badModule("segv"), { monotonicMs: () => nowMs });
    for (let i = 0; i < 3; i++) expect((await errorOf(bridge.open())).code).toBe("PKCS11_CRASHED");
    expect((await errorOf(bridge.open())).code).toBe("PKCS11_DOWN");
    nowMs = 60_001;
    expect((await errorOf(bridge.open())).code).toBe("PKCS11_CRASHED");
  });

  it("a wrong PIN is given to the module once, however often a license is asked for", async () => {
    const client = createTokenClient({
      module: badModule("count-logins"),
      token,
      env: {},
      childFile,
      pin: async () => markedPin,
    });
    onTestFinished(() => client.close());
    for (let i = 0; i < 3; i++) expect((await errorOf(client.login())).code).toBe("HSM_PIN_REFUSED");
    await expect.poll(() => client.bridge.output(), { timeout: 10_000 }).toBe("login\n");
  });

  it.each([
    ["pin-locked", "HSM_PIN_LOCKED"],
    ["last-try", "HSM_PIN_LAST_TRY"],
  ] as const)("%s: the PIN is not tried", async (mode, code) => {
    const client = createTokenClient({
      module: badModule(mode),
      token,
      env: {},
      childFile,
      pin: async () => markedPin,
    });
    onTestFinished(() => client.close());
    expect((await errorOf(client.login())).code).toBe(code);
    expect(client.bridge.output()).toBe("");
  });

  it("a module that prints the PIN does not get it into the captured output", async () => {
    const client = createTokenClient({
      module: badModule("tells-pin"),
      token,
      env: {},
      childFile,
      pin: async () => markedPin,
    });
    onTestFinished(() => client.close());
    await client.login();
    await expect.poll(() => client.bridge.output(), { timeout: 10_000 }).toBe("your PIN is [hidden]\n");
  });

  it("no token at all says what is missing", async () => {
    const module = badModule("no-slots");
    const client = createTokenClient({ module, token, env: {}, childFile, pin: async () => undefined });
    onTestFinished(() => client.close());
    const error = await errorOf(client.state());
    expect(error.code).toBe("HSM_NO_TOKEN");
    expect(error.message).toContain("there is no reader");
  });

  it("a module stuck in native code does not outlive a station that was killed", async () => {
    const script = `
      import { createBridge } from ${JSON.stringify(join(projectRoot, "dist/drivers/pkcs11/bridge.js"))};
      const bridge = createBridge({ module: ${JSON.stringify(badModule("hang-later"))}, env: process.env });
      await bridge.open();
      console.log(bridge.pid);
      await bridge.call("missingMechanisms", { token: { label: "bad" } });`;
    const station = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [line] = (await once(station.stdout, "data")) as [Buffer];
    const child = Number(line.toString());
    expect(alive(child)).toBe(true);
    station.kill("SIGKILL");
    await expect.poll(() => alive(child), { timeout: 10_000 }).toBe(false);
  });
});

/** Whether a process, or with a negative number any process of a group, is there. */
function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
