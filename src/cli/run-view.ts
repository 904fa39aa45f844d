import type { RunEvent } from "../install/events.ts";
import type { Outcome } from "../install/machine.ts";
import type { InstallResult } from "../install/run.ts";
import type { Proof } from "../install/session.ts";
import type { CommandContext } from "./context.ts";
import { renderError } from "./render-error.ts";

/** What a run looks like from outside: NDJSON for scripts, lines and a verdict for people. */
export interface RunView {
  event(event: RunEvent): void;
  verdict(result: InstallResult): void;
}

const words: Readonly<Record<Outcome, string>> = {
  installed: "PASS",
  refused: "REFUSED",
  failed: "FAIL",
  unknown: "UNPROVEN",
};
const colors: Readonly<Record<Outcome, number>> = { installed: 42, refused: 43, failed: 41, unknown: 45 };

/** The view that the global options ask for. */
export function runView(context: CommandContext): RunView {
  return context.options.json ? jsonView(context) : textView(context);
}

function jsonView(context: CommandContext): RunView {
  return { event: (event) => context.out(`${JSON.stringify(event)}\n`), verdict: () => {} };
}

function textView(context: CommandContext): RunView {
  const { quiet, verbose, color } = context.options;
  const say = (line: string) => {
    if (!quiet) context.say(line);
  };
  let end: RunEvent | undefined;
  return {
    event(event) {
      if (event.event === "run_end") end = event;
      else if (event.event === "state")
        say(`  ${String(event["state"]).padEnd(10)} ${String(event["title"])}`);
      else if (event.event === "warning") context.say(`  warning: ${String(event["message"])}`);
      else if (verbose > 0) say(`             ${JSON.stringify(payload(event))}`);
    },
    verdict(result) {
      if (result.error !== undefined) context.say(renderError(result.error, context.options));
      context.out(`${verdictText(result, end, color)}\n`);
    },
  };
}

function payload(event: RunEvent): unknown {
  const { schema: _schema, seq: _seq, time: _time, run: _run, site: _site, ...rest } = event;
  return rest;
}

/** The verdict line: a word, never color alone, then what it rests on. */
function verdictText(result: InstallResult, end: RunEvent | undefined, color: boolean): string {
  const word = ` ${words[result.outcome]} `;
  const banner = color ? `\u001b[1;${colors[result.outcome]}m${word}\u001b[0m` : word.trim();
  const spent = result.licenseSpent ? "license spent" : "no license spent";
  const code = result.error === undefined ? "" : ` ${result.error.code}`;
  const proofs = (end?.["proofs"] as readonly Proof[] | undefined) ?? [];
  return [
    `${banner}  ${result.outcome}${code}  (${(result.durationMs / 1000).toFixed(1)} s, ${spent}, exit ${result.exit})`,
    ...proofs.map(({ claim, result: how, by }) => `  ${how}: ${claim} (${by})`),
    ...(end === undefined ? [] : [`  journal: ${String(end["journal"])}`]),
  ].join("\n");
}
