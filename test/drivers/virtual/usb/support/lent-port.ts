import { join } from "node:path";
import { execa } from "execa";
import { onTestFinished } from "vitest";
import type { UsbBenchProbe } from "../../../../../drivers/virtual/usb/bench.ts";
import type { UsbBus } from "../../../../../drivers/virtual/usb/bus.ts";
import type { ErrorCode } from "../../../../../src/errors/catalogue.ts";
import { StationError } from "../../../../../src/errors/station-error.ts";
import type { BulkOpener, BulkPort } from "../../../../../src/ports/index.ts";

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly code?: ErrorCode;
  readonly parameters?: Readonly<Record<string, string | number>>;
  readonly message?: string;
}

/**
 * Ports over libusb in a process of its own on the bus, used from here: the calls of the `usb` package wait for
 * answers that this process gives. The attachment says virtual, so that an install takes a development license.
 */
export async function lentOpener(bus: UsbBus, probe: UsbBenchProbe): Promise<BulkOpener> {
  const child = execa({ node: true, ipc: true, env: bus.environment(process.env), reject: false })(
    join(import.meta.dirname, "port-server.mjs"),
    [probe.serial],
  );
  onTestFinished(async () => {
    child.kill();
    await child;
  });
  const waiting = new Map<number, (answer: Answer) => void>();
  child.on("message", (answer: unknown) => {
    const { id } = answer as Answer;
    waiting.get(id)?.(answer as Answer);
    waiting.delete(id);
  });
  const answerTo = (id: number) => new Promise<Answer>((resolve) => waiting.set(id, resolve));
  await answerTo(0);
  let calls = 0;
  const call = async (name: string, ...words: readonly unknown[]): Promise<unknown> => {
    const id = ++calls;
    const answer = answerTo(id);
    await child.sendMessage({ id, call: name, words: [...words] } as never);
    const { value, code, parameters, message } = await answer;
    if (code !== undefined && parameters !== undefined) throw StationError.of(code, parameters as never);
    if (message !== undefined) throw new Error(message);
    return value;
  };
  const port: BulkPort = {
    send: async (data, timeoutMs) => {
      await call("send", data, timeoutMs);
    },
    receive: async (sizeBytes, timeoutMs) => (await call("receive", sizeBytes, timeoutMs)) as Uint8Array,
    close: async () => {
      await call("close");
    },
  };
  return {
    attachment: { ...probe.bench.opener.attachment, kind: "virtual" },
    open: async (options = {}) => {
      await call("open", options);
      return port;
    },
  };
}
