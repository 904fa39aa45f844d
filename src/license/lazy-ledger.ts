import type { LicenseLedger } from "../ports/index.ts";

/**
 * A ledger that is opened when it is first needed: a run that ends before it gets to licenses leaves none behind.
 * @param name what the opened ledger will be called
 */
export function lazyLedger(name: string, open: () => Promise<LicenseLedger>): LicenseLedger {
  let opening: Promise<LicenseLedger> | undefined;
  let opened: LicenseLedger | undefined;
  const ledger = async () => {
    opening ??= open();
    opened = await opening;
    return opened;
  };
  return {
    name,
    entry: async (key) => (await ledger()).entry(key),
    entriesOf: async (digest) => (await ledger()).entriesOf(digest),
    account: async (source) => (await ledger()).account(source),
    openReservations: async (source) => (await ledger()).openReservations(source),
    issuedTo: async (client) => (await ledger()).issuedTo(client),
    append: async (change) => (await ledger()).append(change),
    exclusive: async (source, work) => (await ledger()).exclusive(source, work),
    async *records() {
      yield* (await ledger()).records();
    },
    summary: async () => (await ledger()).summary(),
    // Entries come from the opened ledger, so it is there.
    mayLiveMs: (entry) => opened?.mayLiveMs(entry) ?? 0,
    async close() {
      // What could not be opened needs no closing, and has been reported to whoever needed it.
      await (await opening?.catch(() => undefined))?.close();
    },
  };
}
