import { selectCases } from "./cases.ts";
import { measureReference, runCase } from "./one-run.ts";
import { recordTransfers } from "./transfers.ts";
const t = await recordTransfers();
const list = selectCases(t, 1, 20000);
console.log(t.length, t.filter((x) => x.alike).length, list.possible, list.distinct, list.cases.length);
const ref = await measureReference();
const n = Number(process.argv[2] ?? 100), skip = Number(process.argv[3] ?? 0);
const cases = selectCases(t, Number(process.argv[4] ?? 7), n).cases.slice(skip);
const seen = new Map<string, string[]>();
const ends = new Map<string, number>();
let tr = 0, ms = 0;
const t0 = Date.now();
for (const c of cases) {
  let v;
  try { v = await runCase(c, ref); } catch (e) { console.log("THROWN", c.kind, c.transfer, c.state, e); continue; }
  tr = Math.max(tr, v.transfers); ms = Math.max(ms, v.modelledMs);
  const key = `${v.end} -> ${v.next}${v.neededAbort ? " ABORT" : ""}`;
  ends.set(key, (ends.get(key) ?? 0) + 1);
  for (const x of v.complaints) { const l = seen.get(x) ?? []; l.push(`${c.kind}@${c.transfer} ${c.state} [${v.end} -> ${v.next}]`); seen.set(x, l); }
}
console.log((Date.now() - t0) / cases.length, "ms each; max transfers", tr, "max ms", ms);
for (const [k, v] of [...ends].sort((a, b) => b[1] - a[1])) console.log(v, k);
console.log("----");
for (const [k, v] of [...seen].sort((a, b) => b[1].length - a[1].length)) console.log(v.length, k, "\n    ", v.slice(0, 6).join("\n     "));
