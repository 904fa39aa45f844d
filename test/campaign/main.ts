import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { projectRoot } from "../support/sample-job.ts";
import { selectCases } from "./cases.ts";
import { campaignPage } from "./page.ts";
import { runAll } from "./run-all.ts";
import { recordTransfers } from "./transfers.ts";

/** More runs than this take longer than anyone waits. */
const mostRuns = 20_000;
const defaultSeed = 7;

/**
 * `npm run campaign` runs the whole campaign and writes docs/campaign.md. With --runs or --seed the page goes to stdout.
 * Exit code 1 when a run breaks a rule; such runs are told on stderr as they come.
 */
const { values } = parseArgs({
  options: { runs: { type: "string" }, seed: { type: "string" }, threads: { type: "string", default: "2" } },
});
const seed = Number(values.seed ?? defaultSeed);
const transfers = await recordTransfers();
const list = selectCases(transfers, seed, Number(values.runs ?? mostRuns));
let broken = 0;
const verdicts = await runAll(list.cases, Number(values.threads), (done, verdict) => {
  if (verdict.complaints.length > 0) {
    broken++;
    process.stderr.write(`${JSON.stringify(verdict)}\n`);
  }
  if (done % 1000 === 0)
    process.stderr.write(`${done} of ${list.cases.length} runs, ${broken} break a rule\n`);
});
const page = campaignPage({ transfers, list, seed, verdicts });
if (values.runs === undefined && values.seed === undefined) {
  writeFileSync(join(projectRoot, "docs/campaign.md"), page);
} else {
  process.stdout.write(page);
}
process.exitCode = broken === 0 ? 0 : 1;
