import { expect, it } from "vitest";
import type { Appended, LedgerRecord, LicenseLedger } from "../../../src/ports/index.ts";
import { issuedChange, keyOf, reserveChange } from "../../support/license-requests.ts";
import { genuineLicense } from "../../support/license-samples.ts";

/** Opens one more view of the same ledger, as another process would. */
export type OpenAnother = () => Promise<LicenseLedger>;

const admitted = (appended: Appended): LedgerRecord => {
  if (!appended.admitted) throw new Error(appended.reason);
  return appended.record;
};

/**
 * What every ledger must do, whatever it is stored in.
 * @param fresh a new, empty ledger: how to open views of it, and the same after a restart of whatever holds it
 */
export function ledgerContract(fresh: () => Promise<OpenAnother>): void {
  const issue = async (ledger: LicenseLedger, chip: number) => {
    const { seq } = admitted(await ledger.append(reserveChange(chip)));
    return admitted(await ledger.append(issuedChange(chip, seq)));
  };

  it("chains its records and gives the license back after it was closed", async () => {
    const open = await fresh();
    const ledger = await open();
    await issue(ledger, 1);
    await issue(ledger, 2);
    await ledger.close();
    const again = await open();
    const records: LedgerRecord[] = [];
    for await (const record of again.records()) records.push(record);
    expect(records.map(({ seq, kind }) => [seq, kind])).toEqual([
      [1, "reserve"],
      [2, "issued"],
      [3, "reserve"],
      [4, "issued"],
    ]);
    for (const [index, record] of records.entries()) {
      if (index > 0) expect(record.prev).toBe(records[index - 1]!.hash);
    }
    expect(await again.entry(keyOf(2))).toMatchObject({ state: "issued", license: genuineLicense(2) });
    expect(await again.summary()).toMatchObject({
      records: 4,
      head: records[3]!.hash,
      entries: { issued: 2, reserved: 0 },
    });
    await again.close();
  });

  it("admits one reservation for a chip, whichever of two views is first", async () => {
    const open = await fresh();
    const [one, two] = [await open(), await open()];
    for (let chip = 1; chip <= 10; chip++) {
      const both = await Promise.all([one.append(reserveChange(chip)), two.append(reserveChange(chip))]);
      expect(both.filter(({ admitted }) => admitted)).toHaveLength(1);
      expect(both.find(({ admitted }) => !admitted)).toMatchObject({ reason: "it is reserved already" });
      const winner = both.find((appended) => appended.admitted)!;
      expect(await two.entry(keyOf(chip))).toMatchObject({ reservation: admitted(winner).seq });
    }
    expect((await one.openReservations("hsm")).length).toBe(10);
    expect(await one.openReservations("another")).toEqual([]);
    expect((await two.summary()).records).toBe(10);
    await one.close();
    await two.close();
  });

  it("keeps the account of a source balanced through every kind of end", async () => {
    const ledger = await (await fresh())();
    const place = { source: "hsm" } as const;
    await ledger.append({ kind: "open", ...place, counter: 100 });
    await issue(ledger, 1);
    const reserve = async (chip: number) => admitted(await ledger.append(reserveChange(chip))).seq;
    const second = { key: keyOf(2), reservation: await reserve(2), reason: "counter stands" };
    admitted(await ledger.append({ kind: "released", ...place, ...second }));
    const third = { key: keyOf(3), reservation: await reserve(3), reason: "counter fell" };
    admitted(await ledger.append({ kind: "burned", ...place, ...third }));
    const outside = { counter: 95, accepted: false, reason: "others" };
    admitted(await ledger.append({ kind: "reconcile", ...place, ...outside }));
    expect(await ledger.account("hsm")).toEqual({
      source: "hsm",
      opened: 100,
      counter: 95,
      reserved: 0,
      issued: 1,
      burned: 1,
      surplus: 0,
      outside: 3,
    });
    expect(await ledger.append({ kind: "reconcile", ...place, ...outside, counter: 99 })).toMatchObject({
      admitted: false,
    });
    // A license that was thought lost and comes after all.
    admitted(await ledger.append(issuedChange(3, third.reservation)));
    expect(await ledger.account("hsm")).toMatchObject({ issued: 2, burned: 0, counter: 95 });
    admitted(await ledger.append({ kind: "reconcile", ...place, ...outside, counter: 99, accepted: true }));
    const account = await ledger.account("hsm");
    expect(account).toMatchObject({ opened: 104, counter: 99 });
    expect(await ledger.summary()).toMatchObject({ accounts: [account] });
    await ledger.close();
  });

  it("opens one reservation at a time on a source whose counter is accounted for", async () => {
    const ledger = await (await fresh())();
    await ledger.append({ kind: "open", source: "hsm", counter: 10 });
    admitted(await ledger.append(reserveChange(1)));
    const second = await ledger.append(reserveChange(2));
    expect(second).toMatchObject({ admitted: false, reason: expect.stringContaining("another reservation") });
    admitted(await ledger.append({ kind: "forgotten", key: keyOf(1), reason: "station is gone" }));
    admitted(await ledger.append(reserveChange(2)));
    expect(await ledger.account("hsm")).toMatchObject({ reserved: 1, counter: 10 });
    expect(await ledger.summary()).toMatchObject({ entries: { reserved: 1, forgotten: 1 } });
    await ledger.close();
  });

  it("lets a chip with a lost license have another one only with the operator's word", async () => {
    const ledger = await (await fresh())();
    const { seq } = admitted(await ledger.append(reserveChange(1)));
    const place = { key: keyOf(1), source: "hsm" } as const;
    await ledger.append({ kind: "burned", ...place, reservation: seq, reason: "counter fell" });
    expect(await ledger.append(reserveChange(1))).toMatchObject({ admitted: false });
    admitted(await ledger.append({ ...reserveChange(1), afterBurn: true }));
    await ledger.close();
  });

  it("remembers refusals, and what was given up is not served again", async () => {
    const open = await fresh();
    const ledger = await open();
    const key = keyOf(1);
    expect(await ledger.append({ kind: "suspect", key, reason: "early" })).toMatchObject({ admitted: false });
    const { hash: _hash, ...issued } = await issue(ledger, 1);
    admitted(await ledger.append({ kind: "suspect", key, reason: "RSS refused" }));
    admitted(await ledger.append({ kind: "suspect", key, reason: "RSS refused" }));
    const other = await open();
    expect(await other.entry(key)).toMatchObject({ suspicions: 2, issuers: ["hsm"] });
    admitted(await other.append({ kind: "cleared", key, reason: "it was the package" }));
    expect(await ledger.entry(key)).toMatchObject({ suspicions: 0, state: "issued" });
    admitted(await ledger.append({ kind: "forgotten", key, reason: "wrong card" }));
    const forgotten = await other.entry(key);
    expect(forgotten).toMatchObject({ state: "forgotten", license: undefined, issuers: ["hsm"] });
    expect(forgotten!.forgotten).toEqual([issued.kind === "issued" ? issued.digest : ""]);
    expect(await ledger.append({ kind: "served", key })).toMatchObject({ admitted: false });
    await ledger.close();
    await other.close();
  });

  it("counts what each client was issued", async () => {
    const ledger = await (await fresh())();
    for (const [chip, client] of [
      [1, "line-1"],
      [2, "line-1"],
      [3, "line-2"],
    ] as const) {
      const { seq } = admitted(await ledger.append({ ...reserveChange(chip), client }));
      await ledger.append(issuedChange(chip, seq));
    }
    expect(await Promise.all(["line-1", "line-2", "line-3"].map((name) => ledger.issuedTo(name)))).toEqual([
      2, 1, 0,
    ]);
    await ledger.close();
  });

  it("gives turns at a source to one at a time, and other sources go on", async () => {
    const open = await fresh();
    const views = [await open(), await open(), await open()];
    let inside = 0;
    let most = 0;
    let done = 0;
    const step = () => new Promise((resolve) => setImmediate(resolve));
    await Promise.all(
      Array.from({ length: 12 }, (_, number) =>
        views[number % 3]!.exclusive("hsm", async () => {
          most = Math.max(most, ++inside);
          await views[number % 3]!.exclusive(`another ${number}`, step);
          inside--;
          done++;
        }),
      ),
    );
    expect([most, done]).toEqual([1, 12]);
    await expect(
      views[0]!.exclusive("hsm", async () => {
        throw new RangeError("work failed");
      }),
    ).rejects.toThrow("work failed");
    expect(await views[1]!.exclusive("hsm", async () => "free again")).toBe("free again");
    for (const view of views) await view.close();
  });
}
