import { StationError } from "../errors/station-error.ts";
import { textOption } from "./arguments.ts";
import type { Arguments } from "./command.ts";
import type { CommandContext } from "./context.ts";
import { readSecret } from "./files.ts";

/** Keys of a terminal in raw mode. */
const key = { enter: ["\r", "\n"], erase: ["\b", "\x7f"], interrupt: "\x03", end: "\x04" } as const;

/**
 * How the PIN of a token is got: from --pin-file (owner-only), else from the person at the terminal. There is no option
 * that takes the PIN itself: it would be in the process list and in the shell's history.
 * @returns a function that asks once, when the PIN is needed; undefined from it means that there is none
 * @throws from that function: KEY_FILE_EXPOSED, FILE_UNREADABLE, INTERRUPTED
 */
export function pinOf(args: Arguments, context: CommandContext): () => Promise<string | undefined> {
  const file = textOption(args, "pin-file");
  return async () => {
    if (file === undefined) return askAtTerminal(context);
    const bytes = await readSecret(file);
    const pin = new TextDecoder().decode(bytes).replace(/\r?\n$/, "");
    bytes.fill(0);
    return pin;
  };
}

/** Asks with nothing shown; undefined without a terminal. */
function askAtTerminal(context: CommandContext): Promise<string | undefined> {
  const { stdin, stderr } = process;
  if (stdin.isTTY !== true || stderr.isTTY !== true) return Promise.resolve(undefined);
  // Before the question: what is typed the moment it appears must not be shown either.
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  stderr.write("PIN: ");
  stdin.resume();
  return new Promise((resolve, reject) => {
    let pin = "";
    const finish = (act: () => void) => {
      stdin.off("data", onData);
      context.signal.removeEventListener("abort", onAbort);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write("\n");
      act();
    };
    const onAbort = () => finish(() => reject(context.signal.reason));
    const onData = (text: string) => {
      for (const character of text) {
        if ((key.enter as readonly string[]).includes(character)) return finish(() => resolve(pin));
        if (character === key.interrupt || character === key.end) {
          // Raw mode: the terminal does not turn Ctrl-C into a signal.
          return finish(() => reject(StationError.of("INTERRUPTED", { what: "the PIN prompt" })));
        }
        pin = (key.erase as readonly string[]).includes(character) ? pin.slice(0, -1) : pin + character;
      }
    };
    stdin.on("data", onData);
    context.signal.addEventListener("abort", onAbort, { once: true });
  });
}
