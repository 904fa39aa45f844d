import { rename } from "node:fs/promises";
import { StationError } from "../errors/station-error.ts";
import type { LedgerChange, LedgerRecord, LedgerSummary, LicenseLedger } from "../ports/index.ts";
import { requiredNumber, requiredText } from "./arguments.ts";
import type { Arguments } from "./command.ts";
import { type CommandContext, printResult } from "./context.ts";
import { systemDetail } from "./files.ts";
import { licensingSettings, openLedger, openLicensing } from "./licensing.ts";

/** `license suspect | clear | forget KEY --reason TEXT`: the operator's word on one license. */
export async function markLicense(
  kind: "suspect" | "cleared" | "forgotten",
  key: string,
  args: Arguments,
  context: CommandContext,
): Promise<number> {
  const reason = requiredText(args, "reason");
  await withLedger(args, context, async (ledger) => {
    await admit(ledger, { kind, key, reason }, key);
    const entry = await ledger.entry(key);
    printResult(context, { key, state: entry?.state, suspicions: entry?.suspicions, reason }, () =>
      [`${key}`, `state       ${entry?.state}`, `suspicions  ${entry?.suspicions}`].join("\n"),
    );
  });
  return 0;
}

/** `license ledger show | verify | accept | restart`. */
export async function ledgerCommand(
  action: string | undefined,
  args: Arguments,
  context: CommandContext,
): Promise<number> {
  switch (action) {
    case "show":
      return withLedger(args, context, (ledger) => show(ledger, context));
    case "verify":
      return withLedger(args, context, (ledger) => verify(ledger, context));
    case "accept":
      return withLedger(args, context, (ledger) => accept(ledger, args, context));
    case "restart":
      return restart(args, context);
    default:
      throw StationError.of("USAGE_INVALID", {
        detail: `license ledger ${action ?? ""}: show, verify, accept or restart`,
      });
  }
}

/** Every record but the license bytes. */
async function show(ledger: LicenseLedger, context: CommandContext): Promise<number> {
  for await (const record of ledger.records()) {
    const fields: Partial<Record<string, unknown>> = { ...record };
    delete fields["license"];
    if (context.options.json) context.out(`${JSON.stringify(fields)}\n`);
    else context.out(`${recordText(record)}\n`);
  }
  return 0;
}

function recordText(record: LedgerRecord): string {
  const words = [String(record.seq).padStart(6), record.time, record.kind.padEnd(9)];
  if ("source" in record) words.push(record.source);
  if ("key" in record) words.push(record.key);
  if ("counter" in record && record.counter !== undefined) words.push(`counter ${record.counter}`);
  if ("reason" in record) words.push(`(${record.reason})`);
  return words.join("  ");
}

async function verify(ledger: LicenseLedger, context: CommandContext): Promise<number> {
  const summary = await ledger.summary();
  printResult(context, { ledger: ledger.name, ...summary }, () => summaryText(ledger.name, summary));
  return 0;
}

function summaryText(name: string, { records, head, entries, suspect, accounts }: LedgerSummary): string {
  return [
    `${name}: ${records} records, whole`,
    `head       ${head}`,
    ...Object.entries(entries).map(([state, count]) => `${state.padEnd(10)} ${count}`),
    `suspect    ${suspect}`,
    ...accounts.map(
      ({ source, opened, counter, issued, burned, surplus, outside }) =>
        `${source}: ${opened} - ${counter} = ${issued} issued + ${burned} lost + ${surplus} surplus + ${outside} used elsewhere`,
    ),
  ].join("\n");
}

/** The operator's word for a counter that went up. */
async function accept(ledger: LicenseLedger, args: Arguments, context: CommandContext): Promise<number> {
  const source = requiredText(args, "source");
  const counter = requiredNumber(args, "remaining");
  const change = { source, counter, accepted: true, reason: requiredText(args, "reason") } as const;
  await admit(ledger, { kind: "reconcile", ...change }, source);
  const account = await ledger.account(source);
  printResult(context, account, () => `${source}: ${account?.counter} left`);
  return 0;
}

/** Only for a damaged file ledger: it is kept aside, and the stored licenses are adopted as they are used. */
async function restart(args: Arguments, context: CommandContext): Promise<number> {
  const reason = requiredText(args, "reason");
  const { ledger, station } = await licensingSettings(args, context);
  const damage = await damageOf({ ledger, station });
  if (damage === undefined) throw StationError.of("LEDGER_NOTHING_DAMAGED", { ledger });
  if (ledger.startsWith("postgres")) {
    throw StationError.of("USAGE_INVALID", { detail: "a damaged database is restored from its backup" });
  }
  const aside = `${ledger}.damaged-${new Date().toISOString().replace(/[:.]/g, "")}`;
  for (const [from, to] of [
    [ledger, aside],
    [`${ledger}.head`, `${aside}.head`],
  ] as const) {
    await rename(from, to).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      throw StationError.of("LEDGER_UNAVAILABLE", { ledger, detail: systemDetail(error) }, { cause: error });
    });
  }
  const fresh = await openLedger({ ledger, station }, context.say);
  const note = `begun anew: ${reason}; before: ${damage.message}; kept as ${aside}`;
  await fresh.append({ kind: "repaired", cutBytes: 0, reason: note });
  await fresh.close();
  printResult(
    context,
    { ledger, aside, damage: damage.toRecord() },
    () => `${ledger} is new; ${aside} is kept`,
  );
  return 0;
}

async function damageOf(settings: { readonly ledger: string; readonly station: string }) {
  try {
    const opened = await openLedger(settings, () => undefined);
    await opened.close();
    return undefined;
  } catch (error) {
    if (error instanceof StationError && error.code === "LEDGER_DAMAGED") return error;
    throw error;
  }
}

async function admit(ledger: LicenseLedger, change: LedgerChange, key: string): Promise<void> {
  const appended = await ledger.append(change);
  if (!appended.admitted) throw StationError.of("LEDGER_KEY_UNKNOWN", { key, detail: appended.reason });
}

async function withLedger<T>(
  args: Arguments,
  context: CommandContext,
  work: (ledger: LicenseLedger) => Promise<T>,
): Promise<T> {
  const settings = await licensingSettings(args, context);
  const licensing = openLicensing(settings, (message) => context.say(`warning: ${message}`));
  try {
    return await work(licensing.ledger);
  } finally {
    await licensing.close();
  }
}
