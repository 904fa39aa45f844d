import { StationError } from "../errors/station-error.ts";

/** Options every command takes. */
export interface GlobalOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  /** 0, 1 (-v) or 2 (-vv). */
  readonly verbose: number;
  readonly color: boolean;
  /** Where runs leave journal and report. */
  readonly logDir: string;
  /** Deadline of the whole command in milliseconds; undefined: none. */
  readonly timeoutMs: number | undefined;
}

/** What a command works with: its options, its streams, and the signal that tells it to stop. */
export interface CommandContext {
  readonly options: GlobalOptions;
  /** Result text; ends up on stdout exactly as given. */
  readonly out: (text: string) => void;
  /** Lines for people; stderr. */
  readonly say: (line: string) => void;
  /** Aborted on Ctrl-C, SIGTERM and the deadline, with the StationError as its reason. */
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
  /** Run another command line in this process (the demo shows the commands it is made of). */
  readonly runCommand: (argv: readonly string[]) => Promise<number>;
}

/** Print a result: `value` as one JSON object with --json, else `text`. */
export function printResult(context: CommandContext, value: unknown, text: () => string): void {
  if (context.options.json) context.out(`${JSON.stringify(value)}\n`);
  else if (!context.options.quiet) context.out(`${text().trimEnd()}\n`);
}

/** An AbortSignal for one command, and how to take its listeners away again. */
export function commandSignal(
  timeoutMs: number | undefined,
  what: string,
): { readonly signal: AbortSignal; readonly dispose: () => void } {
  const controller = new AbortController();
  const interrupt = () => stop(StationError.of("INTERRUPTED", { what }), 130);
  const terminate = () => stop(StationError.of("TERMINATED", { what }), 143);
  const stop = (error: StationError, code: number) => {
    // A second signal means that the person does not want to wait for a clean stop. The journal is durable already.
    if (controller.signal.aborted) process.exit(code);
    controller.abort(error);
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", terminate);
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => controller.abort(StationError.of("DEADLINE", { what, timeoutMs })), timeoutMs);
  return {
    signal: controller.signal,
    dispose: () => {
      process.off("SIGINT", interrupt);
      process.off("SIGTERM", terminate);
      clearTimeout(timer);
    },
  };
}
