import { hex32 } from "../bytes/hex.ts";
import { StationError } from "../errors/station-error.ts";

/** Bytes without holes and the 32-bit address of the first one. */
export interface Segment {
  readonly address: number;
  readonly data: Uint8Array;
}

/** The file formats that firmware comes in (AN5054 2.5.1, option -fir). */
export type FirmwareFormat = "bin" | "ihex" | "srec" | "elf";

/** What a firmware file says: its bytes and where they belong. */
export interface FirmwareImage {
  readonly format: FirmwareFormat;
  /** The file's name, for messages. */
  readonly source: string;
  /** Sorted by address, adjacent ones merged, none empty, none overlapping. */
  readonly segments: Segment[];
  /** Where execution begins, for the formats that tell. */
  readonly entry?: number;
}

/** A piece of a file before sorting, with the words that name it in a message about an overlap. */
export interface Placed extends Segment {
  readonly name: string;
}

/**
 * The segments of several files as one image: sorted by address, adjacent ones merged.
 * Overlap is refused even where both files hold the same bytes (AN5054 2.2, note and figure 5).
 * @throws FIRMWARE_OVERLAP naming both files and the first address that both define
 */
export function joinSegments(images: readonly FirmwareImage[]): Segment[] {
  return mergePlaced(
    images.flatMap(({ source, segments }) => segments.map((segment) => ({ ...segment, name: source }))),
  );
}

/**
 * Sorts pieces by address and merges neighbors that touch. Views of one buffer that lie side by side in it
 * are merged without copying. Empty pieces vanish.
 * @throws FIRMWARE_OVERLAP naming both pieces and the first address that both define
 */
export function mergePlaced(pieces: readonly Placed[]): Segment[] {
  const sorted = pieces.filter(({ data }) => data.length > 0).sort((a, b) => a.address - b.address);
  const runs: Placed[][] = [];
  let last: Placed | undefined;
  let end = -1;
  for (const piece of sorted) {
    if (last !== undefined && piece.address < end) {
      throw StationError.of("FIRMWARE_OVERLAP", {
        first: last.name,
        second: piece.name,
        address: hex32(piece.address),
      });
    }
    const run = runs.at(-1);
    if (run !== undefined && piece.address === end) run.push(piece);
    else runs.push([piece]);
    last = piece;
    end = piece.address + piece.data.length;
  }
  return runs.map(joinRun);
}

/** The unused address ranges between neighbors of a sorted list of segments. */
export function gapsBetween(
  segments: readonly Segment[],
): { readonly address: number; readonly sizeBytes: number }[] {
  return segments.slice(1).flatMap((segment, i) => {
    const before = segments[i] as Segment;
    const address = before.address + before.data.length;
    return segment.address > address ? [{ address, sizeBytes: segment.address - address }] : [];
  });
}

function joinRun(run: readonly Segment[]): Segment {
  const first = run[0] as Segment;
  const sizeBytes = run.reduce((sum, { data }) => sum + data.length, 0);
  let offset = first.data.byteOffset;
  let contiguous = true;
  for (const { data } of run) {
    contiguous &&= data.buffer === first.data.buffer && data.byteOffset === offset;
    offset += data.length;
  }
  if (contiguous) {
    return {
      address: first.address,
      data: new Uint8Array(first.data.buffer, first.data.byteOffset, sizeBytes),
    };
  }
  const joined = new Uint8Array(sizeBytes);
  for (const { address, data } of run) joined.set(data, address - first.address);
  return { address: first.address, data: joined };
}
