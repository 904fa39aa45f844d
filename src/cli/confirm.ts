import { createInterface } from "node:readline/promises";
import type { InstallPlan } from "../install/plan.ts";
import type { CommandContext } from "./context.ts";

/** The word that approves a plan's irreversible steps. */
const word = "INSTALL";

/** Asks the person at the terminal; without a terminal nobody is asked and nothing is approved. */
export function confirmAtTerminal(context: CommandContext): (plan: InstallPlan) => Promise<boolean> {
  return async (plan) => {
    if (process.stdin.isTTY !== true || process.stderr.isTTY !== true) return false;
    const first = plan.steps.find(({ kind }) => kind === "irreversible");
    context.say(`plan ${plan.digest}`);
    context.say(`step ${plan.pointOfNoReturn} cannot be taken back: ${first?.detail ?? ""}`);
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    try {
      return (await terminal.question(`type ${word} to go on: `, { signal: context.signal })).trim() === word;
    } finally {
      terminal.close();
    }
  };
}
