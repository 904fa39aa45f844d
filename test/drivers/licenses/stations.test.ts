import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openFileLedger } from "../../../drivers/licenses/file-ledger.ts";
import { openPostgresLedger } from "../../../drivers/licenses/postgres-ledger.ts";
import type { LicenseLedger } from "../../../src/ports/index.ts";
import { type PostgresServer, postgresPrograms, startPostgres } from "../../support/postgres.ts";
import { projectRoot } from "../../support/sample-job.ts";
import { licenseFiles, temporaryFolder } from "../../support/sfi.ts";

const program = join(projectRoot, "test/support/license-station.mjs");
const quiet = { station: "test", onNotice: () => undefined };

interface Said {
  readonly chip?: number;
  readonly issued?: boolean;
  readonly license?: string;
  readonly code?: string;
  readonly notice?: string;
  readonly done?: boolean;
}

interface StationEnd {
  readonly signal: string | null;
  readonly code: number | null;
  readonly said: readonly Said[];
  readonly stderr: string;
}

/** Runs a station; `onSaid` may kill it or its server. */
function station(
  job: Readonly<Record<string, unknown>>,
  onSaid?: (said: Said, kill: () => void) => void,
): Promise<StationEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, JSON.stringify(job)], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const said: Said[] = [];
    let rest = "";
    let stderr = "";
    child.stdout.on("data", (data: Buffer) => {
      const lines = (rest + data.toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const value = JSON.parse(line) as Said;
        said.push(value);
        onSaid?.(value, () => child.kill("SIGKILL"));
      }
    });
    child.stderr.on("data", (data: Buffer) => {
      stderr += data.toString();
    });
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, said, stderr }));
  });
}

const chips = (from: number, count: number) => Array.from({ length: count }, (_, index) => from + index);

/** What must hold of any ledger together with the token's own record of what it gave. */
function stationContract(fresh: () => { ledger: string; open: () => Promise<LicenseLedger> }): void {
  const setUp = () => {
    const folder = temporaryFolder();
    const token = join(folder, "token");
    writeFileSync(token, "");
    const { ledger, open } = fresh();
    const job = { ledger, token, folder: join(folder, "licenses"), capacity: 2000 };
    const given = () => readFileSync(token, "utf8").trim().split("\n").filter(Boolean);
    return { job, open, given };
  };

  it("10 parallel requests for one chip, in each of two processes, give one license", async () => {
    const { job, open, given } = setUp();
    const ends = await Promise.all([1, 2].map(() => station({ ...job, chips: [1], parallel: 10 })));
    const said = ends.flatMap((end) => end.said.filter(({ chip }) => chip === 1));
    expect(said, ends[0]!.stderr).toHaveLength(20);
    expect(new Set(said.map(({ license }) => license)).size).toBe(1);
    expect(said.filter(({ issued }) => issued)).toHaveLength(1);
    expect(given()).toHaveLength(1);
    const ledger = await open();
    expect(await ledger.account("hsm:test")).toMatchObject({ opened: 2000, counter: 1999, issued: 1 });
    await ledger.close();
  });

  const points = [
    { point: "reserving", entry: undefined, issued: 1, burned: 0 },
    { point: "reserved", entry: "reserved", issued: 1, burned: 0 },
    { point: "answered", entry: "reserved", issued: 1, burned: 1 },
    { point: "counted", entry: "reserved", issued: 1, burned: 1 },
    { point: "stored", entry: "reserved", issued: 1, burned: 0 },
    { point: "recorded", entry: "issued", issued: 1, burned: 0 },
  ] as const;
  it.each(points)(
    "kill -9 at $point loses at most what the ledger then names",
    async ({ point, entry, ...end }) => {
      const { job, open, given } = setUp();
      const killed = await station({ ...job, chips: [7], dieAt: { point, chip: 7 } });
      expect(killed.signal, killed.stderr).toBe("SIGKILL");
      const before = await open();
      const open1 = await before.openReservations("hsm:test");
      expect(open1.map(({ state }) => state)).toEqual(entry === "reserved" ? ["reserved"] : []);
      await before.close();
      // A license that was lost is not replaced without the operator's word.
      const again = await station({ ...job, chips: [7, 7] });
      const expected =
        end.burned === 1 ? { code: "LICENSE_BURNED" } : { chip: 7, license: expect.any(String) };
      for (const said of again.said.filter(({ chip }) => chip === 7)) expect(said).toMatchObject(expected);
      expect(given()).toHaveLength(1);
      if (end.burned === 1) {
        const allowed = await station({ ...job, chips: [7, 7], allowBurn: 1 });
        expect(allowed.said.filter(({ chip }) => chip === 7)).toMatchObject([
          { issued: true },
          { issued: false },
        ]);
      }
      expect(given()).toHaveLength(1 + end.burned);
      const ledger = await open();
      const account = await ledger.account("hsm:test");
      expect(account).toMatchObject({ ...end, outside: 0, surplus: 0, counter: 2000 - given().length });
      expect(await ledger.summary()).toMatchObject({ entries: { issued: 1, reserved: 0 } });
      await ledger.close();
    },
  );

  it("1,000 chips from four processes, one of them killed again and again: 1,000 licenses, and it balances", async () => {
    const { job, open, given } = setUp();
    const until = async (from: number): Promise<void> => {
      const kill = from === 0;
      let killed = 0;
      for (;;) {
        let seen = 0;
        const end = await station(
          { ...job, allowBurn: 5, chips: chips(from, 300).map((chip) => chip % 1000) },
          (_, die) => {
            if (kill && killed < 3 && ++seen === 40 + 20 * killed) die();
          },
        );
        if (end.signal === null) {
          expect(end.code, end.stderr).toBe(0);
          expect(end.said.filter(({ code }) => code !== undefined)).toEqual([]);
          return;
        }
        killed++;
      }
    };
    await Promise.all([0, 250, 500, 750].map(until));
    const ledger = await open();
    const account = await ledger.account("hsm:test");
    const summary = await ledger.summary();
    expect(summary).toMatchObject({ entries: { issued: 1000, reserved: 0, burned: 0 } });
    expect(account).toMatchObject({ issued: 1000, outside: 0, surplus: 0 });
    expect(account!.counter).toBe(2000 - given().length);
    // Every license beyond the thousandth was lost with a killed process, and the ledger says so.
    expect(given().length).toBe(1000 + account!.burned);
    expect(account!.burned).toBeLessThanOrEqual(3);
    expect(new Set(given()).size).toBe(1000);
    expect(licenseFiles(job.folder)).toHaveLength(1000);
    await ledger.close();
  }, 240_000);
}

describe("stations on one file ledger", () => {
  stationContract(() => {
    const ledger = join(temporaryFolder(), "ledger.ndjson");
    return { ledger, open: () => openFileLedger(ledger, quiet) };
  });
});

describe.skipIf(postgresPrograms === undefined)("stations on PostgreSQL (Debian package postgresql)", () => {
  let server: PostgresServer;
  let databases = 0;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.remove());
  const fresh = () => {
    const name = `stations_${++databases}`;
    server.sql(`CREATE DATABASE ${name}`);
    const ledger = server.address.replace(/postgres$/, name);
    return { ledger, open: () => openPostgresLedger(ledger, quiet) };
  };
  stationContract(fresh);

  it("the server killed under four stations: all finish, no license twice, and it balances", async () => {
    const folder = temporaryFolder();
    const token = join(folder, "token");
    writeFileSync(token, "");
    const { ledger: address, open } = fresh();
    let seen = 0;
    let restarted: Promise<void> | undefined;
    const restart = async () => {
      await server.kill();
      await server.start();
    };
    const ends = await Promise.all(
      [0, 25, 50, 75].map((from) =>
        station(
          {
            ledger: address,
            token,
            folder: join(folder, `station-${from}`),
            capacity: 500,
            // Four machines, as far as the ledger can tell: only the database stands between them.
            host: `host-${from}`,
            chips: chips(from, 40).map((chip) => chip % 100),
          },
          () => {
            if (++seen === 60) restarted = restart();
          },
        ),
      ),
    );
    await restarted;
    expect(ends.map(({ code, stderr }) => [code, stderr])).toEqual([0, 1, 2, 3].map(() => [0, ""]));
    const ledger = await open();
    const account = await ledger.account("hsm:test");
    const given = readFileSync(token, "utf8").trim().split("\n");
    expect(account!.counter).toBe(500 - given.length);
    expect(account!.issued + account!.burned + account!.surplus).toBe(given.length);
    const failed = ends.flatMap(({ said }) => said.filter(({ code }) => code !== undefined));
    expect(failed).toEqual([]);
    expect(await ledger.summary()).toMatchObject({ entries: { issued: 100, reserved: 0 } });
    await ledger.close();
  });
});
