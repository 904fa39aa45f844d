import type { LicenseLedger } from "../ports/index.ts";

/**
 * A ledger that is opened when it is first needed: a run that ends before it gets to licenses leaves none behind.
 * @param name what the opened ledger will be called
 */
export function lazyLedger(name: string, open: () => Promise<LicenseLedger>): LicenseLedger {
  let opening: Promise<LicenseLedger> | undefined;
  const ledger = () => {
    opening ??= open();
    return opening;
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
    async close() {
      // What could not be opened needs no closing, and has been reported to whoever needed it.
      const opened = await opening?.catch(() => undefined);
      await opened?.close();
    },
  };
}
