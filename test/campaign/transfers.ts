import type { BulkOpener } from "../../src/ports/index.ts";
import { openBench, runOnBench } from "../support/bench-run.ts";
import { cleanJob } from "./job.ts";

/** One USB transfer of an install that nothing disturbs. */
export interface RecordedTransfer {
  /** Counted from 1, as fault scripts do. */
  readonly number: number;
  readonly kind: "command" | "data" | "reply";
  readonly sizeBytes: number;
  readonly state: string;
  /** One of the blank check's many block reads that are all alike: neither the first nor the last of them. */
  readonly alike: boolean;
}

const blockBytes = 6144;

/** Runs the job once without a fault and says what went over USB. */
export async function recordTransfers(): Promise<readonly RecordedTransfer[]> {
  const bench = await openBench();
  const recorded: Omit<RecordedTransfer, "alike">[] = [];
  const blocks: number[] = [];
  let state = "idle";
  const note = (kind: RecordedTransfer["kind"], sizeBytes: number): void => {
    const number = recorded.push({ number: recorded.length + 1, kind, sizeBytes, state });
    if (state === "inspected" && kind === "reply" && sizeBytes === blockBytes) blocks.push(number);
  };
  const opener: BulkOpener = {
    attachment: bench.opener.attachment,
    async open(options) {
      const port = await bench.opener.open(options);
      let dataBytes = 0;
      return {
        send: async (data, timeoutMs) => {
          // WRITEMEM_32, WRITEMEM_8 and RW_MISC_OUT announce a data phase.
          const isData = dataBytes > 0;
          note(isData ? "data" : "command", data.length);
          dataBytes = isData ? 0 : announcedBytes(data);
          await port.send(data, timeoutMs);
        },
        receive: async (sizeBytes, timeoutMs) => {
          const reply = await port.receive(sizeBytes, timeoutMs);
          note("reply", reply.length);
          return reply;
        },
        close: () => port.close(),
      };
    },
  };
  const { result } = await runOnBench({
    job: cleanJob,
    bench: { ...bench, opener },
    onState: (entered) => {
      state = entered;
    },
  });
  await bench.close();
  if (result.outcome !== "installed") throw new Error(`the undisturbed run ended as ${result.outcome}`);
  // A block is four transfers: command, data, status request, status.
  const first = (blocks[0] ?? 0) + 2;
  const last = (blocks.at(-1) ?? 0) - 1;
  return recorded.map((transfer) => ({
    ...transfer,
    alike: transfer.number > first && transfer.number < last,
  }));
}

/** 1 when a data phase follows the command, else 0. */
function announcedBytes(command: Uint8Array): number {
  return command[0] === 0xf2 && [0x08, 0x0d, 0x48, 0x51].includes(command[1] ?? 0) ? 1 : 0;
}
