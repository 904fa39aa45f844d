import {
  appendFileSync,
  copyFileSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openFileLedger } from "../../../drivers/licenses/file-ledger.ts";
import { openPostgresLedger } from "../../../drivers/licenses/postgres-ledger.ts";
import { issuedChange, keyOf, reserveChange } from "../../support/license-requests.ts";
import { type PostgresServer, postgresPrograms, startPostgres } from "../../support/postgres.ts";
import { temporaryFolder } from "../../support/sfi.ts";
import { ledgerContract } from "./ledger-contract.ts";

const quiet = { station: "test", onNotice: () => undefined };

describe("file ledger", () => {
  ledgerContract(async () => {
    const file = join(temporaryFolder(), "licenses", "ledger.ndjson");
    return () => openFileLedger(file, quiet);
  });

  async function filled(chips = 3) {
    const file = join(temporaryFolder(), "ledger.ndjson");
    const ledger = await openFileLedger(file, quiet);
    for (let chip = 1; chip <= chips; chip++) {
      const appended = await ledger.append(reserveChange(chip));
      await ledger.append(issuedChange(chip, appended.admitted ? appended.record.seq : 0));
    }
    await ledger.close();
    return file;
  }

  it("is readable by its owner only", async () => {
    const file = await filled(1);
    for (const name of [file, `${file}.head`]) expect(statSync(name).mode & 0o777).toBe(0o600);
  });

  it("notices every edited byte, names the record, and goes on nowhere", async () => {
    const file = await filled(2);
    const whole = readFileSync(file);
    const lines = whole.toString().split("\n");
    for (let at = 0; at < whole.length; at += 7) {
      const edited = Uint8Array.from(whole);
      edited[at] = edited[at]! ^ 1;
      writeFileSync(file, edited);
      const record = whole.subarray(0, at).toString().split("\n").length;
      // A line end that is no longer one makes two lines into one.
      const expected = whole[at] === 0x0a ? [record, record + 1] : [record];
      const error = await openFileLedger(file, quiet).then(
        () => undefined,
        (thrown: { code: string; parameters: { record: number } }) => thrown,
      );
      expect(error, `byte ${at}`).toMatchObject({ code: "LEDGER_DAMAGED" });
      expect(expected, `byte ${at}`).toContain(error!.parameters.record);
    }
    expect(lines).toHaveLength(5);
  });

  it("notices records that are missing at the end, in the middle, and all of them", async () => {
    const file = await filled(3);
    const whole = readFileSync(file);
    const lines = whole.toString().trimEnd().split("\n");
    const refuse = (detail: RegExp) =>
      expect(openFileLedger(file, quiet)).rejects.toMatchObject({
        code: "LEDGER_DAMAGED",
        message: expect.stringMatching(detail),
      });
    writeFileSync(file, `${lines.slice(0, 5).join("\n")}\n`);
    await refuse(/record 6: it ended with record 6 before/);
    truncateSync(file, whole.length - lines[5]!.length - 10);
    await refuse(/records are missing at the end|the line is no record/);
    writeFileSync(file, whole.subarray(0, whole.length - 40));
    await refuse(/it ended with record 6 before/);
    writeFileSync(file, `${lines.filter((_, index) => index !== 2).join("\n")}\n`);
    await refuse(/record 3: it does not follow/);
    writeFileSync(file, "");
    await refuse(/record 1: it ended with record 6 before/);
    writeFileSync(file, whole);
    rmSync(`${file}.head`);
    await refuse(/head is missing/);
    writeFileSync(`${file}.head`, "nonsense");
    await refuse(/head is not readable/);
  });

  it("cuts a half-written last line off, says so and records it", async () => {
    const file = await filled(1);
    appendFileSync(file, '{"schema":1,"seq":3,"kind":"iss');
    const notices: string[] = [];
    const ledger = await openFileLedger(file, { ...quiet, onNotice: (notice) => notices.push(notice) });
    expect(notices).toEqual([expect.stringContaining("31 bytes were cut off")]);
    const records = [];
    for await (const record of ledger.records()) records.push(record);
    expect(records.at(-1)).toMatchObject({ seq: 3, kind: "repaired", cutBytes: 31 });
    expect(await ledger.entry(keyOf(1))).toMatchObject({ state: "issued" });
    await ledger.close();
  });

  it("stops when the file shrinks or is replaced while it is open", async () => {
    const file = await filled(2);
    const ledger = await openFileLedger(file, quiet);
    const copy = `${file}.copy`;
    copyFileSync(file, copy);
    truncateSync(file, 100);
    await expect(ledger.append(reserveChange(9))).rejects.toMatchObject({ code: "LEDGER_DAMAGED" });
    rmSync(file);
    copyFileSync(copy, file);
    await expect(ledger.append(reserveChange(9))).rejects.toMatchObject({ code: "LEDGER_DAMAGED" });
    await ledger.close();
    expect(readFileSync(file)).toEqual(readFileSync(copy));
  });

  it("gives up a turn that does not come", async () => {
    const file = join(temporaryFolder(), "ledger.ndjson");
    const holder = await openFileLedger(file, quiet);
    const waiter = await openFileLedger(file, { ...quiet, turnTimeoutMs: 20 });
    await holder.exclusive("hsm", async () => {
      await expect(waiter.exclusive("hsm", async () => undefined)).rejects.toMatchObject({
        code: "LEDGER_BUSY",
      });
    });
    await holder.close();
    await waiter.close();
  });

  it("cannot be where no folder can be", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), "");
    await expect(openFileLedger(join(folder, "file", "ledger.ndjson"), quiet)).rejects.toMatchObject({
      code: "LEDGER_UNAVAILABLE",
    });
  });
});

describe.skipIf(postgresPrograms === undefined)("PostgreSQL ledger (Debian package postgresql)", () => {
  let server: PostgresServer;
  let databases = 0;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.remove());

  const newDatabase = () => {
    const name = `ledger_${++databases}`;
    server.sql(`CREATE DATABASE ${name}`);
    return server.address.replace(/postgres$/, name);
  };
  const open = (address: string) => openPostgresLedger(address, quiet);

  ledgerContract(async () => {
    const address = newDatabase();
    return () => open(address);
  });

  it("lets nobody change a record, and notices who switched that off", async () => {
    const address = newDatabase();
    const sql = (text: string) => server.sql(text, address.split("/").at(-1)!);
    const ledger = await open(address);
    await ledger.append({ kind: "open", source: "hsm", counter: 10 });
    const appended = await ledger.append(reserveChange(1));
    await ledger.append(issuedChange(1, appended.admitted ? appended.record.seq : 0));
    for (const edit of [
      "UPDATE sfi_license.record SET body = body",
      "DELETE FROM sfi_license.record",
      "TRUNCATE sfi_license.record",
      "UPDATE sfi_license.account SET counter = 10",
      "UPDATE sfi_license.entry SET state = 'released'",
    ]) {
      expect(() => sql(edit), edit).toThrow(/never changed|violates check constraint/);
    }
    const off = "ALTER TABLE sfi_license.record DISABLE TRIGGER never_changed;";
    const cases: readonly (readonly [string, string, RegExp])[] = [
      [
        `${off} UPDATE sfi_license.record SET body = replace(body, '45002001', '45002002') WHERE seq = 2`,
        `UPDATE sfi_license.record SET body = replace(body, '45002002', '45002001') WHERE seq = 2`,
        /record 2: its hash does not match/,
      ],
      [
        `${off} CREATE TABLE kept AS SELECT * FROM sfi_license.record WHERE seq = 3; DELETE FROM sfi_license.record WHERE seq = 3`,
        "INSERT INTO sfi_license.record SELECT * FROM kept",
        /it ended with record 3 before; records are missing/,
      ],
      [
        "UPDATE sfi_license.entry SET state = 'released', license = NULL",
        "SELECT 1",
        /entry [0-9a-f]{64} is not what the records say/,
      ],
    ];
    for (const [edit, undo, message] of cases) {
      sql(edit);
      await expect(open(address), edit).rejects.toMatchObject({
        code: "LEDGER_DAMAGED",
        message: expect.stringMatching(message),
      });
      await expect(ledger.summary()).rejects.toMatchObject({ code: "LEDGER_DAMAGED" });
      sql(undo);
    }
    await ledger.close();
  });

  it("gives up a turn that does not come", async () => {
    const address = newDatabase();
    const holder = await open(address);
    const waiter = await openPostgresLedger(address, { ...quiet, turnTimeoutMs: 20 });
    await holder.exclusive("hsm", async () => {
      await expect(waiter.exclusive("hsm", async () => undefined)).rejects.toMatchObject({
        code: "LEDGER_BUSY",
      });
    });
    await holder.close();
    await waiter.close();
  });

  it("reserves nothing with a turn that was lost with its connection", async () => {
    const ledger = await open(newDatabase());
    const appended = await ledger.exclusive("hsm", async () => {
      await server.kill();
      await server.start();
      return ledger.append(reserveChange(1));
    });
    expect(appended).toMatchObject({ admitted: false, reason: expect.stringContaining("turn") });
    await ledger.exclusive("hsm", async () => {
      expect(await ledger.append(reserveChange(1))).toMatchObject({ admitted: true });
    });
    await ledger.close();
  });

  it("takes a reservation of another machine for alive until no request can last that long", async () => {
    const address = newDatabase();
    const here = await openPostgresLedger(address, { ...quiet, host: "here" });
    const there = await openPostgresLedger(address, { ...quiet, host: "there" });
    await here.append(reserveChange(1));
    const entry = (await there.entry(keyOf(1)))!;
    expect(here.mayLiveMs(entry)).toBe(0);
    expect(there.mayLiveMs(entry)).toBeGreaterThan(0);
    expect(there.mayLiveMs({ ...entry, since: "2020-01-01T00:00:00.000Z" })).toBe(0);
    await here.close();
    await there.close();
  });

  it("goes on when the server was killed and started again", async () => {
    const ledger = await open(newDatabase());
    const { record } = (await ledger.append(reserveChange(1))) as { record: { seq: number } };
    await server.kill();
    const waiting = ledger.append(issuedChange(1, record.seq));
    await server.start();
    expect(await waiting).toMatchObject({ admitted: true, record: { seq: 2 } });
    expect(await ledger.summary()).toMatchObject({ records: 2, entries: { issued: 1 } });
    await ledger.close();
  });
});
