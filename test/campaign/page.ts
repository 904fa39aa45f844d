import type { CaseList } from "./cases.ts";
import { faultKinds } from "./kinds.ts";
import type { Verdict } from "./one-run.ts";
import { type Rule, rules } from "./rules.ts";
import type { RecordedTransfer } from "./transfers.ts";

/** What a page is made of. */
export interface Campaign {
  readonly transfers: readonly RecordedTransfer[];
  readonly list: CaseList;
  readonly seed: number;
  readonly verdicts: readonly Verdict[];
}

/** The campaign as a page of docs. It holds no date, no duration and nothing of the machine it ran on. */
export function campaignPage(campaign: Campaign): string {
  return [
    "# Fault campaign",
    "",
    "Written by `npm run campaign`; do not edit.",
    "",
    ...introduction(campaign),
    "",
    "## Rules",
    "",
    ...ruleTable(campaign.verdicts),
    "",
    "## Outcomes by kind of fault",
    "",
    ...kindTable(campaign.verdicts),
    "",
    "## Outcomes by error",
    "",
    ...codeTable(campaign.verdicts),
    "",
    "## Outcomes by the state the fault struck in",
    "",
    ...stateTable(campaign.verdicts),
    "",
    "## What it rests on",
    "",
    ...foundations,
    "",
  ].join("\n");
}

function introduction({ transfers, list, seed, verdicts }: Campaign): string[] {
  const alike = transfers.filter((transfer) => transfer.alike).length;
  const all = list.cases.length === list.possible;
  const distinctRun = Math.min(list.distinct, list.cases.length);
  return [
    "A whole install of a package of two parts on the virtual bench, again and again, each time with one fault at one USB",
    `transfer. An undisturbed run takes ${transfers.length} transfers; ${alike} of them are block reads of the blank check that are all alike.`,
    "Each kind is put to each transfer it can strike at: faults of replies to replies, statuses to commands, flipped bits",
    "to payloads, the others to all. After a run the fault is taken away and the run that its error advises is made:",
    "`sfi resume` where it says so, otherwise the same install again; where that does not end installed, the part is erased",
    "as `sfi abort` does and installed once more.",
    "",
    `- runs: ${verdicts.length} of ${list.possible} possible (${all ? "complete" : `sampled, seed ${seed}`})`,
    `- outside the alike block reads: ${distinctRun} of ${list.distinct} (${distinctRun === list.distinct ? "complete" : "sampled"})`,
    `- among the alike block reads: ${verdicts.length - distinctRun} of ${list.possible - list.distinct}`,
    `- longest disturbed run: ${Math.max(...verdicts.map((each) => each.transfers))} transfers, ${Math.max(...verdicts.map(({ modelledMs }) => modelledMs))} ms of modelled time`,
    `- runs in which the license, a good one, was marked as suspect: ${verdicts.filter(({ suspicions }) => suspicions > 0).length}, twice in ${verdicts.filter(({ suspicions }) => suspicions > 1).length}`,
  ];
}

function ruleTable(verdicts: readonly Verdict[]): string[] {
  const broken = (rule: Rule): number =>
    verdicts.filter(({ complaints }) => complaints.some((complaint) => complaint.rule === rule)).length;
  return [
    "| rule | broken by a run with | runs |",
    "|---|---|---|",
    ...(Object.keys(rules) as Rule[]).map((rule) => `| ${rule} | ${rules[rule]} | ${broken(rule)} |`),
  ];
}

const outcomes = ["installed", "refused", "failed", "unknown"] as const;

function counts(verdicts: readonly Verdict[]): (number | string)[] {
  return [
    verdicts.length,
    ...outcomes.map((outcome) => verdicts.filter((each) => each.outcome === outcome).length),
    verdicts.filter(({ next }) => next === "installed").length,
    verdicts.filter(({ neededAbort }) => neededAbort).length,
  ];
}

const countTitles = [
  ...["runs", "installed all the same (0)", "refused (3, 5)", "failed (7)", "unknown (8)"],
  ...["then installed by the advised run", "then by abort and install"],
];

function kindTable(verdicts: readonly Verdict[]): string[] {
  return [
    row(["kind", ...countTitles]),
    row(Array.from({ length: countTitles.length + 1 }, () => "---")),
    ...faultKinds.map(({ name }) => row([name, ...counts(verdicts.filter(({ kind }) => kind === name))])),
    row(["all", ...counts(verdicts)]),
  ];
}

function stateTable(verdicts: readonly Verdict[]): string[] {
  const states = [...new Set(verdicts.toSorted((a, b) => a.transfer - b.transfer).map(({ state }) => state))];
  return [
    row(["state", ...countTitles]),
    row(Array.from({ length: countTitles.length + 1 }, () => "---")),
    ...states.map((name) => row([name, ...counts(verdicts.filter(({ state }) => state === name))])),
  ];
}

function codeTable(verdicts: readonly Verdict[]): string[] {
  const ends = new Map<string, Verdict[]>();
  for (const each of verdicts) {
    const end = `${each.outcome}|${each.exit}|${each.code ?? ""}`;
    ends.set(end, [...(ends.get(end) ?? []), each]);
  }
  return [
    "| outcome | exit code | error | runs | what the advised run ended as |",
    "|---|---|---|---|---|",
    ...[...ends].sort().map(([end, those]) => row([...end.split("|"), those.length, nextEnds(those)])),
  ];
}

/** "installed 12, unknown RESUME_AMBIGUOUS 1" */
function nextEnds(verdicts: readonly Verdict[]): string {
  const ends = new Map<string, number>();
  for (const { next } of verdicts) if (next !== undefined) ends.set(next, (ends.get(next) ?? 0) + 1);
  return [...ends]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([end, count]) => `${end} ${count}`)
    .join(", ");
}

function row(cells: readonly (string | number)[]): string {
  return `| ${cells.join(" | ")} |`;
}

const foundations = [
  "- Time is modelled: a wait costs nothing and always takes as long. No figure here depends on machine, load or date.",
  "- The virtual chip is a second implementation of flash, option bytes, debug port and RSS's contract; it shares byte",
  "  helpers and the crypto library with the station and nothing else. What a run says is held against its memory,",
  "  which is looked at directly.",
  "- Faults strike at counted transfers, places of flipped bits come from the seed, and a run's chance depends on its kind,",
  "  transfer and the seed alone: the same sources give the same page.",
  "- Of the kinds that can happen to silicon the bench knows what its fault language can say (drivers/virtual/faults). A",
  "  fault that lies about what the chip did twice in a row, in two independent readings, is not among them.",
  "- How RSS behaves is an assumption wherever [evidence.md](evidence.md) says so.",
];
