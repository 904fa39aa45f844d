import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { makeCertificates } from "../../support/certificates.ts";
import { jobFiles } from "../../support/job-files.ts";
import { type PostgresServer, postgresPrograms, startPostgres } from "../../support/postgres.ts";
import { licenseFiles, sfi, sfiProgram, temporaryFolder } from "../../support/sfi.ts";

const firmwareId = "product-1";

/** A job in a folder, its chips, and the words of an install without a license source. */
async function bench(chips: number) {
  const folder = temporaryFolder();
  const files = jobFiles(folder);
  const probe = (chip: number) => [
    "--probe",
    `virtual:h753,state=${files.at(`chip-${chip}`)}${chip === 1 ? "" : `,uid=${String(chip).padStart(24, "0")}`}`,
  ];
  const certificates: string[] = [];
  for (let chip = 1; chip <= chips; chip++) {
    const out = files.at(`chip-${chip}.cert`);
    const read = await sfi(["certificate", "read", ...probe(chip), "--out", out]);
    expect(read.code, read.stderr).toBe(0);
    certificates.push(out);
  }
  const install = files.install.filter((word) => word !== "--development-license");
  return { folder, ...files, probe, certificates, install };
}

const lastJson = (stdout: string) => JSON.parse(stdout.trim().split("\n").at(-1)!) as Record<string, unknown>;

async function expectError(
  words: readonly string[],
  code: string,
  exit = 6,
): Promise<Record<string, unknown>> {
  const result = await sfi([...words, "--json"]);
  const errors = result.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const error = errors.find((each) => each["code"] !== undefined) ?? {};
  expect(error, result.stderr).toMatchObject({ code, exit });
  expect(result.code).toBe(exit);
  return error;
}

describe("license ledger of an install", () => {
  it("a damaged ledger stops every install, untouched, until the operator begins a new one", async () => {
    const { install, probe, at } = await bench(1);
    const words = [...install, "--development-license", ...probe(1)];
    expect((await sfi(words)).code).toBe(0);
    const ledger = at("licenses/ledger.ndjson");
    const text = readFileSync(ledger, "utf8");
    writeFileSync(ledger, text.replace('"productId":"45002001"', '"productId":"45002002"'));
    expect((await sfi(["abort", ...probe(1)])).code).toBe(0);
    const error = await expectError(words, "LEDGER_DAMAGED");
    expect(error).toMatchObject({ disposition: "untouched", licenseSpent: false });
    const dir = ["--license-dir", at("licenses")];
    await expectError(["license", "ledger", "verify", ...dir], "LEDGER_DAMAGED");
    const restart = await sfi(["license", "ledger", "restart", "--reason", "edited in test", ...dir]);
    expect(restart.code, restart.stderr).toBe(0);
    await expectError(
      ["license", "ledger", "restart", "--reason", "again", ...dir],
      "LEDGER_NOTHING_DAMAGED",
    );
    expect((await sfi(words)).code).toBe(0);
    expect(licenseFiles(at("licenses"))).toHaveLength(1);
    const shown = await sfi(["license", "ledger", "show", "--json", ...dir]);
    const kinds = shown.stdout
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { kind: string }).kind);
    expect(kinds).toEqual(["repaired", "adopted"]);
    expect(shown.stdout).not.toContain(
      readFileSync(at(`licenses/${licenseFiles(at("licenses"))[0]}`))
        .toString("hex")
        .slice(0, 64),
    );
  });

  it("a chip that refuses its license twice gets no third try, and another license only by the operator's word", async () => {
    const { install, probe, at, secrets, certificates } = await bench(2);
    const foreign = at("foreign.license");
    const issue = [
      "license",
      "issue",
      "--development",
      ...secrets,
      "--certificate",
      certificates[1]!,
      "--out",
      foreign,
    ];
    expect((await sfi(issue)).code).toBe(0);
    const words = [...install, ...probe(1), "--license", foreign];
    for (let attempt = 0; attempt < 2; attempt++) {
      const result = await sfi([...words, "--json"]);
      expect(result.stdout).toContain('"RSS_REJECTED"');
      expect(result.stdout).toContain('"phase":"suspect"');
      await sfi(["abort", ...probe(1)]);
    }
    const error = await expectError(words, "LICENSE_SUSPECT");
    expect(error).toMatchObject({ disposition: "untouched" });
    const [name] = licenseFiles(at("licenses"));
    const key = name!.replace(".license", "");
    const dir = ["--license-dir", at("licenses")];
    await expectError(["license", "forget", key, ...dir], "USAGE_INVALID", 2);
    await expectError(["license", "forget", "ab", "--reason", "x", ...dir], "LEDGER_KEY_UNKNOWN");
    expect((await sfi(["license", "clear", key, "--reason", "try again", ...dir])).code).toBe(0);
    expect((await sfi([...words, "--json"])).stdout).toContain('"RSS_REJECTED"');
    await sfi(["abort", ...probe(1)]);
    expect((await sfi(["license", "forget", key, "--reason", "other chip's", ...dir])).code).toBe(0);
    const good = await sfi([...install, ...probe(1), "--development-license"]);
    expect(good.code, good.stderr).toBe(0);
    const verify = lastJson((await sfi(["license", "ledger", "verify", "--json", ...dir])).stdout);
    expect(verify).toMatchObject({ entries: { issued: 1, forgotten: 0 }, suspect: 0 });
  });
});

describe("offline bundles", () => {
  it("are signed, open for their key only, and give each license once", async () => {
    const { install, probe, at, secrets, certificates, folder } = await bench(2);
    makeCertificates(folder, []);
    const named = ["--firmware-id", firmwareId];
    const make = [
      "license",
      "bundle",
      "make",
      "--development",
      ...secrets,
      ...named,
      "--signing-key",
      at("bundle.key"),
    ];
    const listed = certificates.flatMap((file) => ["--certificate", file]);
    const made = await sfi([...make, ...listed, "--out", at("lot.bundle"), "--license-dir", at("office")]);
    expect(made.code, made.stderr).toBe(0);
    const key = ["--bundle-key", at("bundle.pem")];
    const shown = await sfi(["license", "bundle", "show", at("lot.bundle"), ...key, "--json"]);
    expect((lastJson(shown.stdout)["certificates"] as string[]).length).toBe(2);
    const words = [...install, ...probe(1), "--license-bundle", at("lot.bundle"), ...key];
    const end = await sfi(words);
    expect(end.code, end.stderr).toBe(0);
    const use = [
      "license",
      "bundle",
      "use",
      at("lot.bundle"),
      ...key,
      ...named,
      "--license-dir",
      at("licenses"),
    ];
    const again = [...use, "--certificate", certificates[0]!, "--out", at("again.license"), "--json"];
    expect(lastJson((await sfi(again)).stdout)).toMatchObject({ licenses: [{ issued: false }] });
    const [name] = licenseFiles(at("licenses"));
    const forget = ["license", "forget", name!.replace(".license", ""), "--reason", "x"];
    expect((await sfi([...forget, "--license-dir", at("licenses")])).code).toBe(0);
    await expectError([...again.slice(0, -1)], "LICENSE_BUNDLE_USED");
    const text = readFileSync(at("lot.bundle"), "utf8");
    const { payload, signature } = JSON.parse(text) as { payload: string; signature: string };
    writeFileSync(
      at("edited.bundle"),
      JSON.stringify({ payload: payload.replace(firmwareId, "product-2"), signature }),
    );
    await expectError(["license", "bundle", "show", at("edited.bundle"), ...key], "LICENSE_BUNDLE_INVALID");
    writeFileSync(at("half.bundle"), text.slice(0, 100));
    await expectError(["license", "bundle", "show", at("half.bundle"), ...key], "LICENSE_BUNDLE_INVALID");
  });
});

interface Service {
  readonly url: string;
  readonly lines: string[];
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** `sfi license serve`, until the test is over. */
async function serve(words: readonly string[]): Promise<Service> {
  const child: ChildProcess = spawn(process.execPath, [sfiProgram, "license", "serve", "--json", ...words], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const lines: string[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    child.once("exit", () => reject(new Error(`ended: ${lines.join("\n")}`)));
    createInterface({ input: child.stderr! }).on("line", (line) => lines.push(line));
    createInterface({ input: child.stdout! }).on("line", (line) => {
      lines.push(line);
      const { listening } = JSON.parse(line) as { listening?: string };
      if (listening !== undefined) resolve(listening);
    });
  });
  const stop = (signal: NodeJS.Signals = "SIGTERM") => {
    child.kill(signal);
    return ended;
  };
  onTestFinished(async () => {
    await stop("SIGKILL");
  });
  return { url, lines, stop };
}

describe("license service", () => {
  const tls = (folder: string, client: string) => {
    const at = (name: string) => join(folder, name);
    const identity = ["--client-cert", at(`${client}.pem`), "--client-key", at(`${client}.key`)];
    return [...identity, "--service-ca", at("authority.pem")];
  };

  async function withService(chips: number, quotas: readonly string[]) {
    const set = await bench(chips);
    const { at } = makeCertificates(set.folder, ["line-1", "line-2"]);
    mkdirSync(at("service-licenses"), { mode: 0o700 });
    const service = await serve([
      ...["--listen", "127.0.0.1:0", "--tls-key", at("service.key"), "--tls-cert", at("service.pem")],
      ...["--client-ca", at("authority.pem"), "--development", ...set.secrets, "--firmware-id", firmwareId],
      ...["--license-dir", at("service-licenses"), ...quotas.flatMap((quota) => ["--quota", quota])],
    ]);
    const issue = (client: string, chip: number, more: readonly string[] = []) => [
      ...["license", "issue", "--from", service.url, ...tls(set.folder, client)],
      ...["--certificate", set.certificates[chip - 1]!, "--out", at(`${client}-${chip}.license`)],
      ...["--license-dir", at(`${client}-licenses`), ...more],
    ];
    return { ...set, service, issue };
  }

  it("gives one license for one certificate to whoever asks, within quotas, and to nobody else", async () => {
    const { service, issue, at, certificates, folder } = await withService(3, ["line-1=2", "line-2=1"]);
    const ask = async (client: string, chip: number) => {
      const result = await sfi([...issue(client, chip), "--json"]);
      expect(result.code, result.stderr).toBe(0);
      return readFileSync(at(`${client}-${chip}.license`));
    };
    const first = await ask("line-1", 1);
    expect(await ask("line-2", 1)).toEqual(first);
    await ask("line-2", 2);
    const refused = await expectError(issue("line-2", 3), "LICENSE_SERVICE_FAILED");
    expect(refused["message"]).toContain("LICENSE_QUOTA");
    await ask("line-1", 3);
    expect(await ask("line-2", 3)).toEqual(readFileSync(at("line-1-3.license")));
    const stranger = [...issue("line-1", 1)].map((word) =>
      word.replace("line-1.pem", "stranger.pem").replace("line-1.key", "stranger.key"),
    );
    await expectError(
      stranger.map((word) => word.replace("line-1-licenses", "stranger-licenses")),
      "LICENSE_SERVICE_FAILED",
    );
    const nobody = await plainRequest(`${service.url}/v1/source`, { ca: readFileSync(at("authority.pem")) });
    expect(nobody).toBe("refused");
    const verify = await sfi([
      "license",
      "ledger",
      "verify",
      "--json",
      "--license-dir",
      at("service-licenses"),
    ]);
    expect(lastJson(verify.stdout)).toMatchObject({ entries: { issued: 3 } });

    // The form of the vendor's example scripts.
    const boundary = "----form";
    const certificate = readFileSync(certificates[0]!);
    const body = Buffer.concat([
      Buffer.from(
        `--${boundary}\r\nContent-Disposition: form-data; name="dev_certificate_file"; filename="c.bin"\r\nContent-Type: application/octet-stream\r\n\r\n`,
      ),
      certificate,
      Buffer.from(
        `\r\n--${boundary}\r\nContent-Disposition: form-data; name="dev_bootloader_file"; filename="b.bin"\r\n\r\n`,
      ),
      Buffer.alloc(32),
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]);
    const identity = {
      ca: readFileSync(join(folder, "authority.pem")),
      cert: readFileSync(join(folder, "line-2.pem")),
      key: readFileSync(join(folder, "line-2.key")),
    };
    const contentType = `multipart/form-data; boundary=${boundary}`;
    const form = { ...identity, method: "POST", body, contentType };
    const old = await plainRequest(`${service.url}/fw/sfi/${firmwareId}/get/license?user=house`, form);
    expect(old).toMatchObject({ status: 200, body: first });
    const wrong = await plainRequest(`${service.url}/fw/sfi/product-9/get/license?user=house`, form);
    expect(wrong).toMatchObject({ status: 409 });
    for (const [text, status] of [
      ["{", 400],
      ['{"certificate":"AAAA"}', 400],
      [`{"certificate":"${"A".repeat(70_000)}"}`, 413],
    ] as const) {
      const sent = { ...identity, method: "POST", contentType: "application/json", body: Buffer.from(text) };
      expect(await plainRequest(`${service.url}/v1/licenses`, sent)).toMatchObject({ status });
    }
    expect(await plainRequest(`${service.url}/elsewhere`, identity)).toMatchObject({ status: 404 });
    expect(await service.stop()).toBe(0);
    const log = service.lines.join("\n");
    expect(log).toContain('"client":"line-2"');
    expect(log).not.toContain(first.toString("base64"));
  });

  it("an install takes its license from it, and goes on from its own folder when the service is gone", async () => {
    const { service, folder, install, probe, at } = await withService(1, []);
    const words = [...install, ...probe(1), "--license-service", service.url, ...tls(folder, "line-1")];
    const end = await sfi([...words, "--json"]);
    expect(end.code, end.stderr).toBe(0);
    expect(lastJson(end.stdout)).toMatchObject({ event: "run_end", outcome: "installed" });
    expect(await service.stop("SIGKILL")).toBe(null);
    await sfi(["abort", ...probe(1)]);
    const again = await sfi(words);
    expect(again.code, again.stderr).toBe(0);
    expect(licenseFiles(at("licenses"))).toHaveLength(1);
    const folder2 = words.map((word) => word.replace(at("licenses"), at("empty")));
    await sfi(["abort", ...probe(1)]);
    const gone = await expectError(folder2, "LICENSE_SERVICE_FAILED");
    expect(gone).toMatchObject({ disposition: "untouched" });
  });
});

interface PlainOptions {
  readonly ca: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly method?: string;
  readonly body?: Buffer;
  readonly contentType?: string;
}

function plainRequest(
  url: string,
  { body, contentType, ...options }: PlainOptions,
): Promise<"refused" | { readonly status: number | undefined; readonly body: Buffer }> {
  return new Promise((resolve) => {
    const headers = contentType === undefined ? {} : { "content-type": contentType };
    const sent = httpsRequest(url, { ...options, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => resolve({ status: response.statusCode, body: Buffer.concat(chunks) }));
    });
    sent.on("error", () => resolve("refused"));
    sent.end(body);
  });
}

describe.skipIf(postgresPrograms === undefined)(
  "install with a PostgreSQL ledger (Debian package postgresql)",
  () => {
    let server: PostgresServer;
    beforeAll(async () => {
      server = await startPostgres();
    });
    afterAll(() => server.remove());

    it("two stations, one chip: the second gets the first one's license; a password in argv is refused", async () => {
      const { install, probe, at } = await bench(1);
      const words = (station: string) => {
        const folder = install.map((word) => word.replace(at("licenses"), at(`licenses-${station}`)));
        return [
          ...folder,
          "--development-license",
          ...probe(1),
          "--ledger",
          server.address,
          "--station",
          station,
        ];
      };
      const first = await sfi(words("one"));
      expect(first.code, first.stderr).toBe(0);
      expect((await sfi(["abort", ...probe(1)])).code).toBe(0);
      const second = await sfi(words("two"));
      expect(second.code, second.stderr).toBe(0);
      const [one, two] = ["one", "two"].map((station) => {
        const [name] = licenseFiles(at(`licenses-${station}`));
        return readFileSync(at(`licenses-${station}/${name}`));
      });
      expect(two).toEqual(one);
      const verify = await sfi(["license", "ledger", "verify", "--ledger", server.address, "--json"]);
      expect(lastJson(verify.stdout)).toMatchObject({ entries: { issued: 1 } });
      const password = server.address.replace("station@", "station:hunter2@");
      const error = await expectError(
        ["license", "ledger", "verify", "--ledger", password],
        "USAGE_INVALID",
        2,
      );
      expect(JSON.stringify(error)).not.toContain("hunter2");
    });

    it("a server that is not there: refused with the chip untouched", async () => {
      const { install, probe } = await bench(1);
      const gone = ["--ledger", "postgres://station@127.0.0.1:9/none"];
      const error = await expectError(
        [...install, "--development-license", ...probe(1), ...gone],
        "LEDGER_UNAVAILABLE",
      );
      expect(error).toMatchObject({ disposition: "untouched", licenseSpent: false });
    });
  },
);
