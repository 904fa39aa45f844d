import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, isAbsolute } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { catalogue, type ErrorCode } from "../../src/errors/catalogue.ts";
import { StationError } from "../../src/errors/station-error.ts";
import { breakerLimit, createBreaker } from "./breaker.ts";
import { deadlinesMs } from "./deadlines.ts";
import { childEnvironment } from "./environment.ts";
import { type Death, type HostProcess, startHost } from "./host-process.ts";
import { outputRing } from "./output-ring.ts";
import type { Answer, ModuleInfo, OperationName, Operations, WireError } from "./protocol.ts";

/** How a bridge is made. */
export interface BridgeOptions {
  /** Absolute path of the PKCS#11 module. */
  readonly module: string;
  /** Environment to take the allowed variables from. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Deadlines that differ from the table, in milliseconds. */
  readonly deadlinesMs?: Partial<Readonly<Record<OperationName, number>>>;
  /** Texts that must not show up in captured output. */
  readonly secrets?: () => readonly string[];
  /** Program of the child; the built child.js beside this file unless told otherwise. */
  readonly childFile?: string;
  readonly monotonicMs?: () => number;
}

/** A PKCS#11 module in a process of its own. */
export interface Bridge {
  readonly module: string;
  /**
   * Asks one thing. Requests wait for each other; a dead child is started again first.
   * @throws the catalogue entry of whatever went wrong, in the module, the token or the process
   */
  call<Op extends OperationName>(op: Op, args: Operations[Op]["args"]): Promise<Operations[Op]["result"]>;
  /** Starts the module if it does not run. Returns what it said when it was opened. */
  open(): Promise<ModuleInfo>;
  /** Grows with every child: what was said to an earlier one, a PIN for example, is forgotten. */
  readonly generation: number;
  /** Process id of the running child. */
  readonly pid: number | undefined;
  /** What the module printed, without secrets. */
  output(): string;
  /** Ends the child; the next call starts another. For a card that was taken out. */
  restart(): Promise<void>;
  /** Ends the child for good; lets the module tidy up for a moment. */
  close(): Promise<void>;
}

/** A child and the request it is working on. */
interface Running {
  readonly host: HostProcess;
  info: ModuleInfo | undefined;
  waiting: { readonly id: number; readonly settle: (answer: Answer) => void } | undefined;
  timedOut: boolean;
}

/** How long a module may tidy up. */
const closeMs = 1000;

/**
 * Makes a bridge to a PKCS#11 module. Nothing is started before the first request. A crash, a hang, an exit or chatter
 * of the module ends or fills its own process only.
 * @throws PKCS11_LOAD_FAILED when the path is not absolute: the loader would search for it
 */
export function createBridge(options: BridgeOptions): Bridge {
  const { module } = options;
  if (!isAbsolute(module)) {
    throw StationError.of("PKCS11_LOAD_FAILED", { module, detail: "the path is not absolute" });
  }
  const output = outputRing(options.secrets ?? (() => []));
  const breaker = createBreaker(options.monotonicMs ?? (() => performance.now()));
  const limits = { ...deadlinesMs, ...options.deadlinesMs };
  const childFile = options.childFile ?? fileURLToPath(new URL("./child.js", import.meta.url));
  let running: Running | undefined;
  let generation = 0;
  let nextId = 1;
  let tail: Promise<unknown> = Promise.resolve();
  let closed = false;

  const start = (): Running => {
    if (closed) throw new RangeError("the bridge is closed");
    if (breaker.open) {
      const { deaths: count, windowMs } = breakerLimit;
      throw StationError.of("PKCS11_DOWN", { module, count, seconds: windowMs / 1000 });
    }
    const host = startHost({
      childFile,
      cwd: workingFolder(module),
      env: childEnvironment(options.env),
      output,
      onAnswer(answer) {
        if (child.waiting?.id === answer.id) child.waiting.settle(answer);
      },
    });
    const child: Running = { host, info: undefined, waiting: undefined, timedOut: false };
    running = child;
    generation++;
    // Also when it dies between two requests. Whoever ends it on purpose takes it out of `running` first.
    void host.death.then(() => {
      if (running !== child) return;
      running = undefined;
      breaker.died();
    });
    return child;
  };

  /** One request to a running child; settles when it has answered or ended. */
  const ask = async <Op extends OperationName>(child: Running, op: Op, args: Operations[Op]["args"]) => {
    const id = nextId++;
    const timer = setTimeout(() => {
      child.timedOut = true;
      child.host.kill();
    }, limits[op]);
    try {
      const answered = new Promise<Answer>((settle) => {
        child.waiting = { id, settle };
      });
      child.host.send({ id, op, args });
      const end = await Promise.race([answered, child.host.death]);
      if ("id" in end) {
        if (!end.ok) throw fromWire(end.error);
        return end.result as Operations[Op]["result"];
      }
      throw deathError(end, child, op);
    } finally {
      clearTimeout(timer);
      child.waiting = undefined;
    }
  };

  const deathError = (death: Death, child: Running, operation: OperationName): StationError => {
    const timeoutMs = limits[operation];
    const words = { module, output: output.tail() };
    if (child.timedOut) {
      return operation === "open"
        ? StationError.of("PKCS11_HUNG_AT_START", { ...words, timeoutMs })
        : StationError.of("PKCS11_HUNG", { ...words, operation, timeoutMs });
    }
    if (death.pipeDetail !== undefined) {
      return StationError.of("PKCS11_BROKEN_PIPE", { ...words, operation, detail: death.pipeDetail });
    }
    if (death.signal === "SIGABRT") return StationError.of("PKCS11_ABORTED", { ...words, operation });
    if (death.signal !== null) {
      return StationError.of("PKCS11_CRASHED", { ...words, operation, signal: death.signal });
    }
    return StationError.of("PKCS11_EXITED", { ...words, operation, exitCode: death.exitCode ?? "none" });
  };

  /** The running child with its module open. A child whose module does not open is of no further use. */
  const ready = async (): Promise<{ readonly child: Running; readonly info: ModuleInfo }> => {
    const child = running ?? start();
    if (child.info !== undefined) return { child, info: child.info };
    try {
      const info = await ask(child, "open", { module });
      child.info = info;
      return { child, info };
    } catch (error) {
      await drop();
      throw error;
    }
  };

  const drop = async (): Promise<void> => {
    const child = running;
    running = undefined;
    child?.host.kill();
    await child?.host.death;
  };

  const inTurn = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const turn = tail.then(work, work);
    tail = turn;
    return turn;
  };

  return {
    module,
    call: (op, args) => inTurn(async () => ask((await ready()).child, op, args)),
    open: () => inTurn(async () => (await ready()).info),
    get generation() {
      return generation;
    },
    get pid() {
      return running?.host.pid;
    },
    output: () => output.text(),
    restart: () => inTurn(drop),
    close: () =>
      inTurn(async () => {
        closed = true;
        const child = running;
        running = undefined;
        if (child === undefined) return;
        child.host.hangUp();
        const timer = setTimeout(() => child.host.kill(), closeMs);
        await child.host.death;
        clearTimeout(timer);
      }),
  };
}

/**
 * Modules look for data and libraries beside themselves, some of them by relative paths. A folder that is not there is
 * left to the loader to name.
 */
function workingFolder(module: string): string {
  const folder = dirname(module);
  return existsSync(folder) ? folder : tmpdir();
}

/** A catalogue entry that the child named. */
function fromWire({ code, parameters }: WireError): StationError {
  if (!Object.hasOwn(catalogue, code))
    return StationError.of("INTERNAL", { detail: `the child said ${code}` });
  return StationError.of(code as ErrorCode, parameters as never);
}
