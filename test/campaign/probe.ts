import { openBench, runOnBench, countedIssuer } from "../support/bench-run.ts";
import { twoPartJob } from "../support/sample-job.ts";
const job = twoPartJob();
for (let i = 0; i < 150; i++) {
  const t0 = process.hrtime.bigint();
  const bench = await openBench();
  const t1 = process.hrtime.bigint();
  const counts: string[] = [];
  const r = await runOnBench({ job, bench, source: countedIssuer(), onState: (s) => counts.push(`${s}@${bench.transfers().count}`) });
  const t2 = process.hrtime.bigint();
  if (i > 147) console.log(r.result.outcome, bench.transfers().count, bench.modelledMs(), Number(t1 - t0) / 1e6, Number(t2 - t1) / 1e6, i > 148 ? counts.join(" ") : "");
  await bench.close();
}
