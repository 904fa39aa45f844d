/** One option word: where it is read, where it is written, which bits exist, and what the factory put there. */
export interface OptionWord {
  readonly name: string;
  /** Offset from the flash controller's base. */
  readonly offset: number;
  /** Offset of the register for programming where that is another one. */
  readonly programOffset?: number;
  /** Bits that exist. */
  readonly mask: number;
  readonly factory: number;
  /** TrustZone: only secure accesses change it. */
  readonly secure?: boolean;
}

/** Option words by name. */
export type OptionWords = Readonly<Record<string, number>>;

/** Shape of the array. */
export interface FlashGeometry {
  readonly base: number;
  readonly banks: 1 | 2;
  readonly bankBytes: number;
  /** Smallest stretch that is erased: sector or page. */
  readonly sectorBytes: number;
  /** Smallest stretch that is programmed. */
  readonly unitBytes: number;
}

/** Where the fields of FLASH_CR lie on the H7. */
export interface H7ControlFields {
  readonly hasPsize: boolean;
  readonly fw: number;
  readonly start: number;
  readonly snbShift: number;
  readonly snbMask: number;
  readonly writable: number;
}

/** The controller of the H7 at 0x52002000: a write buffer for each bank, current and programming option registers. */
export interface H7Flash extends FlashGeometry {
  readonly kind: "h7";
  readonly security: boolean;
  readonly control: H7ControlFields;
  /** Sectors behind one bit of the write protection. */
  readonly sectorsPerWrpBit: number;
  /** ECC errors and PCROP as the H7 has them: OPERR exists. */
  readonly hasOperr: boolean;
}

/** Stretch of a bank in an option word: unit, and how many bits the ends have. Start above end is no area. */
export interface PageArea {
  readonly bank: 0 | 1;
  readonly startWord: string;
  readonly endWord: string;
  readonly startShift: number;
  readonly endShift: number;
  readonly bits: number;
  readonly unitBytes: number;
}

/** Registers of a page controller by offset. */
export interface PageRegisters {
  readonly keyr: number;
  readonly optkeyr: number;
  readonly sr: number;
  readonly cr: number;
  /** Secure bank; absent without TrustZone. */
  readonly secureKeyr?: number;
  readonly secureSr?: number;
  readonly secureCr?: number;
  /** First of the block-based security registers of each bank, and their number. */
  readonly secureBlocks?: { readonly offsets: readonly number[]; readonly count: number };
}

/** The controller of L4, L5, U5, WBA and WL: pages, an option register that is its own shadow, OBL_LAUNCH. */
export interface PageFlash extends FlashGeometry {
  readonly kind: "page";
  readonly registers: PageRegisters;
  /** CR.PNB: mask behind bit 3. */
  readonly pageMask: number;
  /** First address of the bootloader in system memory. */
  readonly bootloader: number;
  /** Bit of SR that says a change of option bytes was not valid: OPTWERR or OPTVERR. */
  readonly optionErrorBit: number;
  /** L5, U5, WBA: TZEN in OPTR, RDP level 0.5, watermarks. */
  readonly trustZone?: TrustZoneFlash;
  readonly writeProtection: readonly PageArea[];
  readonly pcrop: readonly PageArea[];
  /** Option word and bit of BOOT_LOCK, and what clears it besides a regression to level 0. */
  readonly bootLock?: {
    readonly word: string;
    readonly bit: number;
    readonly clears: "level0" | "regression" | "never";
  };
  /** WL: word with the CM0+'s secure flash, start page [6:0] and FSD (1: none) bit 7. */
  readonly secondCore?: { readonly word: string };
}

/** What TrustZone adds to a page controller. */
export interface TrustZoneFlash {
  readonly secureAreas: readonly PageArea[];
  /** OEM1KEY and OEM2KEY at these offsets, two words each; absent: none. */
  readonly oemKeys?: { readonly first: number; readonly second: number };
  /** TZEN can be cleared with a regression from level 0.5 too. */
  readonly clearsFromHalf: boolean;
  /** Words whose bit 31 (UNLOCK) locks the write protection while it is 0. */
  readonly lockableWords: readonly string[];
  /** RSS in secure system memory: a boot there ends in the bootloader. */
  readonly rss: number;
}

/** The controller of the H5: sectors, write buffer, current and programming option registers, product state. */
export interface H5Flash extends FlashGeometry {
  readonly kind: "h5";
  /** There is TZEN, a secure boot address and BOOT_UBE. */
  readonly trustZone: boolean;
  /** Sectors behind one bit of the write protection. */
  readonly sectorsPerWrpBit: number;
  readonly secureAreas: readonly PageArea[];
  /** Product states there are. */
  readonly states: readonly number[];
  /** First address of the bootloader in system memory. */
  readonly bootloader: number;
}

/** The controller of H7R and H7S: one bank of 64 KiB, option words written one by one, product state behind RSS. */
export interface H7rsFlash extends FlashGeometry {
  readonly kind: "h7rs";
}

export type FlashModel = H7Flash | PageFlash | H5Flash | H7rsFlash;
