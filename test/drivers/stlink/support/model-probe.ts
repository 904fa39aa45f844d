import type { BulkOpener, BulkPort } from "../../../../src/ports/index.ts";
import { attachment } from "./attachments.ts";
import { fault } from "./scripted-port.ts";

/** One memory command as the model understood it. */
export interface SeenAccess {
  readonly operation: number;
  readonly address: number;
  readonly sizeBytes: number;
  readonly ap: number;
  readonly csw: number;
}

/**
 * A very small ST-LINK with nothing but memory behind it, decoding the frames by its own reading of their layout.
 * It counts transfers and refuses what real firmware refuses: lengths above its limits and misaligned accesses.
 */
export interface ModelProbe {
  readonly opener: BulkOpener;
  readonly memory: Map<number, number>;
  readonly seen: SeenAccess[];
  /** Bytes of memory that commands touched, in order. */
  readonly touched: { readonly kind: "read" | "write"; readonly address: number }[];
  /** Statuses of the next memory, register or RW_MISC operations; 80 when empty. */
  readonly statuses: number[];
  /** Replies that sit in the pipe ahead of everything else. */
  readonly stale: Uint8Array[];
  transfers: number;
}

export interface ModelOptions {
  readonly productId?: number;
  /** First word of the version and the extended reply's J. */
  readonly version?: readonly [number, number];
  readonly byteReadLimit?: number;
  readonly byteWriteLimit?: number;
  readonly miscMax?: number;
}

const memoryOperations: Readonly<Record<number, { width: number; write: boolean }>> = {
  7: { width: 4, write: false },
  8: { width: 4, write: true },
  12: { width: 1, write: false },
  13: { width: 1, write: true },
  71: { width: 2, write: false },
  72: { width: 2, write: true },
};

export function modelProbe(options: ModelOptions = {}): ModelProbe {
  const { productId = 0x374f, version = [0x3000, 15], miscMax = 1227 } = options;
  const { byteReadLimit = 128, byteWriteLimit = 512 } = options;
  const queue: Uint8Array[] = [];
  let pendingData: { sizeBytes: number; take: (data: Uint8Array) => void } | undefined;
  let lastStatus = 0x80;
  let lastAddress = 0;
  let mode = 1;
  let miscReply = new Uint8Array(0);

  const nextStatus = () => model.statuses.shift() ?? 0x80;
  const get = (address: number) => {
    model.touched.push({ kind: "read", address });
    return model.memory.get(address) ?? 0;
  };
  const put = (address: number, value: number) => {
    model.touched.push({ kind: "write", address });
    model.memory.set(address, value);
  };
  const getWord = (address: number) =>
    (get(address) | (get(address + 1) << 8) | (get(address + 2) << 16) | (get(address + 3) << 24)) >>> 0;
  const putWord = (address: number, value: number) => {
    for (let i = 0; i < 4; i++) put(address + i, (value >>> (8 * i)) & 0xff);
  };
  const reply = (...bytes: number[]) => queue.push(Uint8Array.from(bytes));
  const word = (value: number) => [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];

  function command(frame: Uint8Array): void {
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    const operation = frame[1]!;
    switch (frame[0]) {
      case 0xf1:
        return void reply(version[0] >> 8, version[0] & 0xff, 0x83, 0x04, productId & 0xff, productId >> 8);
      case 0xfb:
        return void reply(3, 1, version[1], 6, 5, 0, 0, 0, 0x83, 0x04, productId & 0xff, productId >> 8);
      case 0xf5:
        return void reply(mode, 0);
    }
    const shape = memoryOperations[operation];
    if (shape !== undefined) {
      memoryCommand(operation, shape, view);
      return;
    }
    switch (operation) {
      case 0x21:
        mode = 1;
        return;
      case 0x30:
        mode = 2;
        return void reply(0x80, 0);
      case 0x31:
        return void reply(0x80, 0, 0, 0, ...word(0x6ba02477), 0, 0, 0, 0);
      case 0x35: {
        const status = nextStatus();
        if (status === 0x80) putWord(view.getUint32(2, true), view.getUint32(6, true));
        return void reply(status, 0);
      }
      case 0x36: {
        const status = nextStatus();
        return void reply(status, 0, 0, 0, ...word(status === 0x80 ? getWord(view.getUint32(2, true)) : 0));
      }
      case 0x3e:
        return void reply(lastStatus, 0, 0, 0, ...word(lastAddress), 0, 0, 0, 0);
      case 0x46:
        return void reply(0x80, 0);
      case 0x51:
        miscOut(view.getUint32(2, true));
        return;
      case 0x52:
        return void queue.push(miscReply);
      case 0x53:
        return void reply(miscMax & 0xff, miscMax >> 8);
      default:
        throw new Error(`the model does not know operation ${operation.toString(16)}`);
    }
  }

  function memoryCommand(operation: number, shape: { width: number; write: boolean }, view: DataView): void {
    const address = view.getUint32(2, true);
    const sizeBytes = view.getUint16(6, true);
    const ap = view.getUint8(8);
    const csw = ((view.getUint8(9) << 8) | (view.getUint8(10) << 16) | (view.getUint8(11) << 24)) >>> 0;
    model.seen.push({ operation, address, sizeBytes, ap, csw });
    const limit = shape.width > 1 ? 6144 : shape.write ? byteWriteLimit : byteReadLimit;
    if (
      sizeBytes === 0 ||
      sizeBytes > limit ||
      address % shape.width !== 0 ||
      sizeBytes % shape.width !== 0
    ) {
      throw new Error(`firmware would choke on operation ${operation} for ${sizeBytes} bytes at ${address}`);
    }
    const status = nextStatus();
    const end = () => {
      lastStatus = status;
      lastAddress = status === 0x80 ? 0 : address;
    };
    if (shape.write) {
      const take = (data: Uint8Array) => {
        if (status === 0x80) for (const [i, byte] of data.entries()) put(address + i, byte);
        end();
      };
      pendingData = { sizeBytes, take };
      return;
    }
    const data = Array.from({ length: sizeBytes }, (_, i) => (status === 0x80 ? get(address + i) : 0xee));
    if (sizeBytes === 1 && shape.width === 1) data.push(0xaa);
    end();
    queue.push(Uint8Array.from(data));
  }

  function miscOut(count: number): void {
    if (count > miscMax) throw new Error(`${count} operations are more than ${miscMax}`);
    const codesBytes = Math.ceil(count / 4) * 4;
    const take = (data: Uint8Array) => {
      const view = new DataView(data.buffer, data.byteOffset, data.length);
      const out = new DataView(new ArrayBuffer(8 * count));
      let writeAddress: number | undefined;
      let stopped = 0x80;
      for (let i = 0; i < count; i++) {
        const code = view.getUint8(i);
        const argument = view.getUint32(codesBytes + 4 * i, true);
        if (stopped === 0x80 && (code === 2 || code === 3)) stopped = nextStatus();
        out.setUint32(4 * (count + i), stopped, true);
        if (stopped !== 0x80) continue;
        if (code === 1) writeAddress = argument;
        if (code === 2) putWord(writeAddress!, argument);
        if (code === 3) {
          out.setUint32(4 * i, getWord(argument), true);
          writeAddress = undefined;
        }
      }
      miscReply = new Uint8Array(out.buffer);
    };
    pendingData = { sizeBytes: codesBytes + 4 * count, take };
  }

  const port: BulkPort = {
    send: async (data) => {
      model.transfers += 1;
      if (pendingData !== undefined) {
        const { sizeBytes, take } = pendingData;
        if (data.length !== sizeBytes)
          throw new Error(`${data.length} bytes of data instead of ${sizeBytes}`);
        pendingData = undefined;
        take(data);
        return;
      }
      if (data.length !== 16) throw new Error(`a command of ${data.length} bytes`);
      command(data);
    },
    receive: async (sizeBytes) => {
      model.transfers += 1;
      const next = model.stale.shift() ?? queue.shift();
      if (next === undefined) throw fault("USB_TIMEOUT");
      if (next.length > sizeBytes) throw fault("USB_OVERFLOW");
      return next;
    },
    close: async () => {},
  };
  const model: ModelProbe = {
    opener: { attachment: attachment(productId), open: async () => port },
    memory: new Map(),
    seen: [],
    touched: [],
    statuses: [],
    stale: [],
    transfers: 0,
  };
  return model;
}

/** A full-featured V2: 64-byte limits and 64 RW_MISC operations. (word 0010 101101 011111: V2J45M31) */
export const modelV2: ModelOptions = {
  productId: 0x374b,
  version: [0x2b5f, 0],
  byteReadLimit: 64,
  byteWriteLimit: 64,
  miscMax: 64,
};
