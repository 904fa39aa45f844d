import type { OptionWord, PageArea } from "./flash-model.ts";

/** What differs between the option bytes of L5, U5 and WBA. */
export interface TrustZoneOptions {
  readonly optr: { readonly mask: number; readonly factory: number };
  readonly banks: 1 | 2;
  /** Bits of a page number in the watermarks and protections. */
  readonly pageBits: number;
  readonly pageBytes: number;
  /** WRP words have UNLOCK in bit 31. */
  readonly unlock: boolean;
  readonly bootloader: number;
}

/** The option registers from 0x40 on (RM0438 6.9.13, RM0456 7.9.17, RM0493 7.9), with their factory values. */
export function trustZoneOptionWords(options: TrustZoneOptions): OptionWord[] {
  const { optr, banks, pageBits, unlock, bootloader } = options;
  const last = 2 ** pageBits - 1;
  const ends = (last | (last << 16)) >>> 0;
  const lock = unlock ? 0x80000000 : 0;
  const protection = { mask: (ends | lock) >>> 0, factory: (last | lock) >>> 0 };
  const bank = (number: 1 | 2, at: number): OptionWord[] => [
    { name: `secwm${number}r1`, offset: at, mask: ends, factory: (last << 16) >>> 0, secure: true },
    {
      name: `secwm${number}r2`,
      offset: at + 4,
      mask: ((last << 16) | 0x80000000) >>> 0,
      factory: 0,
      secure: true,
    },
    { name: `wrp${number}ar`, offset: at + 8, ...protection },
    { name: `wrp${number}br`, offset: at + 12, ...protection },
  ];
  return [
    { name: "optr", offset: 0x40, ...optr },
    { name: "nsbootadd0r", offset: 0x44, mask: 0xffffff80, factory: 0x08000000 },
    { name: "nsbootadd1r", offset: 0x48, mask: 0xffffff80, factory: bootloader },
    { name: "secbootadd0r", offset: 0x4c, mask: 0xffffff81, factory: 0x0c000000, secure: true },
    ...bank(1, 0x50),
    ...(banks === 2 ? bank(2, 0x60) : []),
  ];
}

/** Watermarks and write protections of each bank. */
export function trustZoneAreas({ banks, pageBits, pageBytes }: TrustZoneOptions): {
  readonly secureAreas: readonly PageArea[];
  readonly writeProtection: readonly PageArea[];
} {
  const numbers = banks === 2 ? ([0, 1] as const) : ([0] as const);
  const area = (bank: 0 | 1, word: string): PageArea => ({
    bank,
    startWord: word,
    endWord: word,
    startShift: 0,
    endShift: 16,
    bits: pageBits,
    unitBytes: pageBytes,
  });
  return {
    secureAreas: numbers.map((bank) => area(bank, `secwm${bank + 1}r1`)),
    writeProtection: numbers.flatMap((bank) => [
      area(bank, `wrp${bank + 1}ar`),
      area(bank, `wrp${bank + 1}br`),
    ]),
  };
}

/** Rows of the C area: all words in the order of their registers. */
export function trustZoneRows(options: TrustZoneOptions): string[] {
  return trustZoneOptionWords(options).map(({ name }) => name);
}
