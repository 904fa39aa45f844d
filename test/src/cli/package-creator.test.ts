import { chmodSync, copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sha256Hex } from "../../../src/bytes/digest.ts";
import { sampleFirmware } from "../../support/sample-job.ts";
import { readPackageAgain } from "../../support/second-reader.ts";
import { sfi, temporaryFolder } from "../../support/sfi.ts";

const ram = ["--ram-size", "0x1E000", "--token", "0x081FF000"];

/** A folder with firmware, option bytes, key and nonce. */
async function bench() {
  const cwd = temporaryFolder();
  const run = async (...words: string[]) => {
    const result = await sfi(words, { cwd });
    return {
      ...result,
      json: words.includes("--json") ? JSON.parse(result.stdout.trim().split("\n").at(-1)!) : undefined,
    };
  };
  writeFileSync(join(cwd, "fw.bin"), sampleFirmware(130_000));
  expect((await run("key", "generate", "--key", "key.bin", "--nonce", "nonce.bin")).code).toBe(0);
  expect(
    (await run("options", "csv", "--device", "0x450", "--set", "SECURITY=1", "--out", "ob.csv")).code,
  ).toBe(0);
  const build = (...more: string[]) =>
    run(
      ...["package", "build", "--device", "0x450", "--key", "key.bin", "--nonce", "nonce.bin"],
      ...["--options", "ob.csv", "--json", ...more],
    );
  const file = (name: string) => join(cwd, name);
  return { cwd, run, build, file, read: (name: string) => new Uint8Array(readFileSync(file(name))) };
}

describe("package creator", () => {
  it("keys are owner-only, never overwritten, and a nonce serves one image only", async () => {
    const { run, build, file, read } = await bench();
    for (const name of ["key.bin", "nonce.bin"]) expect(statSync(file(name)).mode & 0o777).toBe(0o600);
    expect((await run("key", "generate", "--key", "key.bin")).stderr).toContain("never overwritten");
    const firmware = ["--firmware", "fw.bin@0x08000000", ...ram];
    expect((await build(...firmware, "--out", "a.sfi")).code).toBe(0);
    expect((await build(...firmware, "--out", "again.sfi")).code).toBe(0);
    expect(read("again.sfi")).toEqual(read("a.sfi"));
    const other = await build(...firmware, "--image-version", "2", "--out", "b.sfi");
    expect([other.code, other.json.code]).toEqual([4, "KEY_NONCE_REUSED"]);
    expect(() => read("b.sfi")).toThrow("ENOENT");
    expect(statSync(file("key.bin.register")).mode & 0o777).toBe(0o600);
    expect((await run("key", "show", "--key", "key.bin", "--json")).json.images).toHaveLength(1);
    const secret = Buffer.from(read("key.bin")).toString("hex");
    expect(other.stdout + other.stderr + readFileSync(file("key.bin.register"), "utf8")).not.toContain(
      secret,
    );
  });

  it("of two builds at once that want one nonce for different images, one gets it", async () => {
    const { build, read } = await bench();
    const versions = ["1", "2", "3"];
    const results = await Promise.all(
      versions.map((version) =>
        build(
          "--firmware",
          "fw.bin@0x08000000",
          ...ram,
          "--image-version",
          version,
          "--out",
          `${version}.sfi`,
        ),
      ),
    );
    expect(results.filter(({ code }) => code === 0)).toHaveLength(1);
    for (const [i, { code, json }] of results.entries()) {
      if (code === 0) expect(read(`${versions[i]}.sfi`).length).toBeGreaterThan(130_000);
      else expect(json.code).toBe("KEY_NONCE_REUSED");
    }
  });

  it("firmware outside the flash and overlaps name files and addresses", async () => {
    const { build, file } = await bench();
    writeFileSync(file("more.bin"), sampleFirmware(64, 9));
    const outside = await build("--firmware", "fw.bin@0x081FFF00", "--out", "a.sfi");
    expect(outside.json.message).toBe("fw.bin has bytes at 0x08200000, outside the flash of device 0x450");
    const overlap = await build(
      "--firmware",
      "fw.bin@0x08000000",
      "--firmware",
      "more.bin@0x08000100",
      "--out",
      "a.sfi",
    );
    expect(overlap.json.message).toBe("fw.bin and more.bin both define the bytes from 0x08000100");
  });

  it("hash, OBKeys without --allow-assumed, and ST's own keys are refused with a clear word", async () => {
    const { run, build, file } = await bench();
    const firmware = ["--firmware", "fw.bin@0x08000000", "--out", "a.sfi"];
    expect((await build(...firmware, "--hash")).json.code).toBe("FORMAT_NOT_PUBLIC");
    writeFileSync(file("password"), "0123456789012345", { mode: 0o600 });
    const create = [
      "obk",
      "create",
      "--kind",
      "da-password",
      "--password-file",
      "password",
      "--out",
      "da.obk",
    ];
    expect((await run(...create, "--json")).json.code).toBe("KEY_PUBLIC");
    expect((await run(...create, "--allow-public-key")).code).toBe(0);
    expect((await build(...firmware, "--ob-key", "da.obk")).json.code).toBe("FORMAT_NOT_PUBLIC");
    expect((await build(...firmware, "--ob-key", "da.obk", "--allow-assumed")).json.code).toBe("KEY_PUBLIC");
  });

  it("a recipe gives the same bytes in another folder, and its manifest is the station's expectation", async () => {
    const { cwd, run, file, read } = await bench();
    const pin = (name: string) => sha256Hex(read(name));
    const recipe = [
      "schema: 1",
      "device: 0x450",
      "imageVersion: 7",
      "firmware:",
      `  - { file: fw.bin, address: 0x08000000, sha256: ${pin("fw.bin")} }`,
      `options: { file: ob.csv, sha256: ${pin("ob.csv")} }`,
      "ramSize: 0x1E000",
      "token: 0x081FF000",
      "key: key.bin",
      "nonce: nonce.bin",
      "out: out.sfi",
      "",
    ].join("\n");
    writeFileSync(file("image.yaml"), recipe);
    expect((await run("package", "build", "--recipe", "image.yaml")).code).toBe(0);
    mkdirSync(file("elsewhere"));
    for (const name of ["image.yaml", "fw.bin", "ob.csv", "key.bin", "nonce.bin"]) {
      copyFileSync(file(name), file(join("elsewhere", name)));
      chmodSync(file(join("elsewhere", name)), 0o600);
    }
    expect((await run("package", "build", "--recipe", "elsewhere/image.yaml")).code).toBe(0);
    for (const name of ["out.sfi", "out.sfi.manifest.json"])
      expect(read(join("elsewhere", name))).toEqual(read(name));
    const again = readPackageAgain(read("out.sfi"), read("key.bin"), read("nonce.bin"));
    expect(again.areas.map(({ type, version }) => `${type}${version}`)).toEqual([
      "F7",
      "P7",
      "R7",
      "F7",
      "C7",
    ]);

    const plan = await run("plan", "--device", "0x450", "--package", "out.sfi");
    expect(plan.stdout).toContain("against the package's manifest out.sfi.manifest.json");
    expect(plan.stdout).not.toContain("no expected end state");
    const installed = await run(
      ...[
        "install",
        "--probe",
        "virtual:h753",
        "--package",
        "out.sfi",
        "--development-license",
        "--key",
        "key.bin",
      ],
      ...["--nonce", "nonce.bin", "--license-dir", join(cwd, "l"), "--log-dir", join(cwd, "r"), "--json"],
    );
    expect(installed.code).toBe(0);

    const double = await run("package", "build", "--recipe", "image.yaml", "--device", "0x450", "--json");
    expect(double.json.message).toBe("--device belongs into the recipe");
    writeFileSync(file("fw.bin"), sampleFirmware(130_000, 5));
    const changed = await run("package", "build", "--recipe", "image.yaml", "--json");
    expect(changed.json.code).toBe("INPUT_DIGEST_DIFFERS");
    writeFileSync(file("image.yaml"), recipe.replace(/, sha256: \w+ }/, " }"));
    expect((await run("package", "build", "--recipe", "image.yaml", "--json")).json.message).toContain(
      pin("fw.bin"),
    );
    writeFileSync(file("image.yaml"), recipe.replace("token:", "tokn:"));
    expect((await run("package", "build", "--recipe", "image.yaml", "--json")).json.message).toContain(
      "$.tokn",
    );

    const text = readFileSync(file("out.sfi.manifest.json"), "utf8").replace(
      /"sha256": "../,
      '"sha256": "00',
    );
    writeFileSync(file("out.sfi.manifest.json"), text);
    const foreign = await run("plan", "--device", "0x450", "--package", "out.sfi", "--json");
    expect(foreign.json.code).toBe("EXPECTATION_INVALID");
  });

  it("the vendor's words make the same package, which installs on the virtual chip", async () => {
    const { cwd, run, build, read } = await bench();
    expect(
      (await build("--firmware", "fw.bin@0x08000000", ...ram, "--image-version", "3", "--out", "a.sfi")).code,
    ).toBe(0);
    const stpc = await run(
      ...[
        "stpc",
        "-sfi",
        "-devid",
        "0x450",
        "-fir",
        "fw.bin",
        "0x08000000",
        "-k",
        "key.bin",
        "-n",
        "nonce.bin",
      ],
      ...["-ob", "ob.csv", "-v", "3", "-rs", "0x1E000", "-ct", "0x081FF000", "-o", "b.sfi"],
    );
    expect(stpc.code).toBe(0);
    expect(stpc.stderr).toContain("sfi package build --device 0x450");
    expect(read("b.sfi")).toEqual(read("a.sfi"));
    expect((await run("stpc", "-sfi", "-bogus")).code).toBe(2);
    const installed = await run(
      ...[
        "install",
        "--probe",
        "virtual:h753",
        "--package",
        "b.sfi",
        "--development-license",
        "--key",
        "key.bin",
      ],
      ...[
        "--nonce",
        "nonce.bin",
        "--expect",
        "ob.csv",
        "--license-dir",
        join(cwd, "l"),
        "--log-dir",
        join(cwd, "r"),
      ],
    );
    expect(installed.code).toBe(0);
  });

  it("inspect shows table, map and picture; options diff names fields", async () => {
    const { run, build, file } = await bench();
    await build("--firmware", "fw.bin@0x08000000", ...ram, "--out", "a.sfi");
    const shown = await run("package", "inspect", "a.sfi", "--map", "--svg", "a.svg", "--device", "0x450");
    expect(shown.stdout).toContain("continuation token, sector 7");
    expect(readFileSync(file("a.svg"), "utf8")).toMatch(/^<svg .*<\/svg>\n$/s);
    await run(
      "options",
      "csv",
      "--device",
      "0x450",
      "--set",
      "SECURITY=1",
      "--set",
      "RDP=0xBB",
      "--out",
      "ob2.csv",
    );
    expect((await run("options", "diff", "ob.csv", "ob2.csv", "--device", "0x450", "--json")).json).toEqual({
      same: false,
      changes: [{ field: "RDP", a: "0xAA", b: "0xBB" }],
    });
  });

  it("debug-authentication certificates and SSP images from keys made here", async () => {
    const { run, file, read } = await bench();
    for (const name of ["root", "leaf"]) {
      await run("key", "generate", "--private", `${name}.pem`, "--public", `${name}.pub`);
    }
    const certificate = (...words: string[]) => run("da", "certificate", ...words);
    await certificate("--role", "root", "--key", "root.pub", "--issuer-key", "root.pem", "--out", "root.b64");
    await certificate("--role", "leaf", "--key", "leaf.pub", "--issuer-key", "root.pem", "--out", "leaf.b64");
    expect((await run("da", "chain", "root.b64", "leaf.b64", "--out", "chain.b64")).stdout).toContain(
      "all right",
    );
    expect((await run("da", "chain", "leaf.b64", "root.b64", "--out", "x.b64")).code).toBe(4);
    await run("key", "generate", "--key", "skey.bin", "--nonce", "snonce.bin", "--nonce-size", "16");
    await run("ssp", "secrets", "--set", "otp59=0x12345678", "--out", "secrets.bin");
    expect(statSync(file("secrets.bin")).mode & 0o777).toBe(0o600);
    expect([...read("secrets.bin").subarray(0, 4)]).toEqual([0x78, 0x56, 0x34, 0x12]);
    const words = [
      "-ssp",
      "-ru",
      "0x312",
      "-rr",
      "0xECA",
      "-b",
      "secrets.bin",
      "-pk",
      "root.pub",
      "-k",
      "skey.bin",
    ];
    expect((await run("stpc", ...words, "-n", "snonce.bin", "-o", "out.ssp")).code).toBe(0);
    expect((await run("ssp", "verify", "out.ssp", "--key", "skey.bin", "--nonce", "snonce.bin")).code).toBe(
      0,
    );
    expect((await run("ssp", "backup")).stderr).toContain("FORMAT_NOT_PUBLIC");
  });
});
