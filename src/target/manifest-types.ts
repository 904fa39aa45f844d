/**
 * What is known of a device, decoded from `rsse/<device id>.json`. Addresses, masks, values and sizes are numbers
 * here; in the file they are hexadecimal text. Keys are the same in both, so a path names the same fact in both.
 */
export interface DeviceManifest {
  readonly schema: 1;
  readonly device: DeviceNames;
  readonly identity: IdentityFacts;
  readonly facets: FacetTests;
  readonly variants: readonly Variant[];
  readonly memory: Readonly<Record<string, MemoryRegion>>;
  readonly flash: FlashFacts;
  readonly optionBytes: OptionByteFacts;
  /** Secure and non-secure views of the part; missing on parts without TrustZone. */
  readonly trustZone?: TrustZoneFacts;
  readonly protections: ProtectionFacts;
  readonly rdp: RdpFacts;
  readonly sfi: SfiFacts;
  readonly evidence: readonly Evidence[];
}

/** Where the facts under `path` come from, and how sure they are. The longest path that fits a fact counts. */
export interface Evidence {
  readonly path: string;
  /** specified: published by ST or Arm; observed: in a public log or trace; assumed: no public source. */
  readonly level: EvidenceLevel;
  readonly source: string;
}
export type EvidenceLevel = "specified" | "observed" | "assumed";

export interface DeviceNames {
  /** DBGMCU_IDCODE bits 11:0. */
  readonly id: number;
  readonly name: string;
  readonly series: string;
  readonly core: string;
}

export interface IdentityFacts {
  /** The access port of the core that runs user code and RSS. */
  readonly coreAp: number;
  readonly dpidr: readonly number[];
  /** Where DBGMCU_IDCODE is readable, in the order to try. */
  readonly idcode: readonly { readonly ap: number; readonly address: number }[];
  /** IDCODE bits 31:16 and the silicon revision's letter. */
  readonly revisions: readonly { readonly id: number; readonly name: string }[];
  readonly uidAddress: number;
  /** 16-bit register, in KiB. */
  readonly flashSizeAddress: number;
  /** One byte: major and minor version in its nibbles. */
  readonly bootloaderVersionAddress: number;
  readonly package?: { readonly address: number; readonly mask: number };
  /** Word with the version of the secure part of the system flash (SFSP): major, minor, patch from bit 31 down. */
  readonly sfspVersionAddress?: number;
}

/** The properties in which parts with the same device id differ. */
export interface Facets {
  readonly security: boolean;
  readonly dualCore: boolean;
  readonly dualBank: boolean;
}
export type FacetName = keyof Facets;
/** A condition on the variant; facets left out do not matter. */
export type FacetCondition = { readonly [Name in FacetName]?: boolean };

/** How to tell the facets from the chip. */
export interface FacetTests {
  /** Clock-enable bits that the tests and the package register need; set for the reading, then put back. */
  readonly clockEnable?: { readonly address: number; readonly bits: number };
  readonly security: FacetTest;
  readonly dualCore: FacetTest;
  readonly dualBank: FacetTest;
}
/** Exactly one of the three: a word to look at, an access port that must exist, or the same for every part. */
export interface FacetTest {
  /** True when (word & mask) is `value`. */
  readonly word?: WordTest;
  /** True when this access port exists. */
  readonly ap?: number;
  readonly always?: boolean;
  /** The facet is there when the test fails. */
  readonly not?: boolean;
}
export interface WordTest {
  readonly address: number;
  readonly mask: number;
  readonly value: number;
}

/** One kind of part under the device id. */
export interface Variant {
  readonly name: string;
  readonly facets: Facets;
}

export type MemoryKind = "flash" | "ram" | "system" | "peripheral";
export interface MemoryRegion {
  readonly kind: MemoryKind;
  readonly address: number;
  readonly sizeBytes: number;
}

export interface FlashFacts {
  readonly controller: FlashControllerKind;
  /** How parts with less flash have their banks: shorter at the same places, or the second right behind the first. */
  readonly smallerParts: "shorter-banks" | "adjacent-banks";
  readonly sectorBytes: number;
  /** Smallest programmable unit, aligned to its size. */
  readonly wordBytes: number;
  readonly erasedByte: number;
  readonly unlockKeys: readonly number[];
  readonly banks: readonly FlashBankFacts[];
  readonly control: FlashControlBits;
  readonly status: FlashStatusBits;
  readonly deadlines: {
    readonly sectorEraseMs: number;
    readonly bankEraseMs: number;
    readonly programMs: number;
  };
}
/** The family of flash controller, for people; what it does differently is in the other facts. */
export type FlashControllerKind = "stm32h7" | "stm32l4" | "stm32l5" | "stm32u5" | "stm32h5" | "stm32h7rs";

export interface FlashBankFacts {
  readonly address: number;
  readonly sectors: number;
  /** Where it differs from the flash's (a single bank of wider pages on the STM32L5). */
  readonly sectorBytes?: number;
  readonly when?: FacetCondition;
  readonly registers: FlashRegisters;
  /** The same for pages of the secure world, in its own view; on parts with TrustZone. */
  readonly secureRegisters?: FlashRegisters;
  /** Control bits that choose this bank in an erase (BKER, BKSEL). */
  readonly select?: number;
  /** Control bits that erase this bank, where they are not the flash's (MER2). */
  readonly bankErase?: number;
}
export interface FlashRegisters {
  readonly key: number;
  readonly control: number;
  readonly status: number;
  readonly clear: number;
  /** Where the error flags are, when not with the others. */
  readonly errors?: number;
}
export interface FlashControlBits {
  readonly lock: number;
  readonly program: number;
  readonly sectorErase: number;
  readonly bankErase: number;
  /** PSIZE for 64-bit parallelism. */
  readonly parallelism: number;
  readonly start: number;
  readonly sectorShift: number;
}
export interface FlashStatusBits {
  /** Any of these set: an operation is under way or queued. */
  readonly busy: number;
  /** Error flags by name. */
  readonly errors: Readonly<Record<string, number>>;
  /** What to write to the clear register to clear every flag. */
  readonly clearAll: number;
}

export interface OptionByteFacts {
  readonly keyAddress: number;
  readonly keys: readonly number[];
  /** The option lock opens only while the flash control register is open (one register holds both locks). */
  readonly behindFlashLock: boolean;
  /** `start`: OPTSTART, OPTSTRT, or PG_OPT, which is set before the words are written. */
  readonly control: { readonly address: number; readonly lock: number; readonly start: number };
  readonly launch: OptionLaunch;
  /** OBL_LAUNCH in the control register, for launch "reload". */
  readonly reload?: number;
  readonly busy: { readonly address: number; readonly mask: number };
  readonly changeError: {
    readonly address: number;
    readonly mask: number;
    readonly clearAddress: number;
    readonly clearMask: number;
  };
  /** By name, in the order in which they are read and written. */
  readonly registers: Readonly<Record<string, OptionRegister>>;
}
/**
 * How written option bytes come into force.
 * - start: at the end of the write (STM32H7)
 * - reset: the write ends, then a system reset loads them (STM32H5)
 * - reload: OBL_LAUNCH loads them and resets the part (STM32L4, L5, U5, WBA, WL)
 * - program: each word is programmed as it is written; a system reset loads them (STM32H7RS)
 */
export type OptionLaunch = "start" | "reset" | "reload" | "program";

export interface OptionRegister {
  /** What is in force. */
  readonly current: number;
  /** What the next option write puts in force; on some parts the same register. */
  readonly program: number;
  /** What words of `current` stand for, where a part tells its state in another code than files do. */
  readonly translate?: readonly { readonly read: number; readonly means: number }[];
  readonly fields: Readonly<Record<string, OptionField>>;
}
export interface OptionField {
  /** Most and least significant bit. */
  readonly bits: readonly [number, number];
  /** The legal values; without them every value that fits is legal. */
  readonly values?: readonly { readonly value: number; readonly text: string }[];
  /** How a value outside `values` reads (it cannot be set). */
  readonly otherwise?: string;
  /** The address a value stands for: value * multiplier + offset. */
  readonly equation?: { readonly multiplier: number; readonly offset: number };
  /** Value of a part as it leaves the factory. */
  readonly default: number;
  /** Which variants have the field. */
  readonly when?: FacetCondition;
  /** Other names tools print for it. */
  readonly aliases?: readonly string[];
  /** Not for users: RSS and the install own it. */
  readonly hidden?: boolean;
  /** Belongs to the secure world: means something, and takes a value, only while TrustZone is on. */
  readonly secure?: boolean;
  /** Cannot be written: the part itself, or its services, change it. */
  readonly readOnly?: boolean;
  /**
   * The flash that is write protected while the field's bits are 0: bit n stands for `sectors` (1) sectors from
   * `sector` + n * `sectors` on. Banks and sectors count from 0.
   */
  readonly writeProtects?: { readonly bank: number; readonly sector: number; readonly sectors?: number };
}

/** The secure view of a part with TrustZone: same registers and memories, at addresses `offset` higher. */
export interface TrustZoneFacts {
  /** Option-byte field that turns TrustZone on, with the value that does. */
  readonly field: string;
  readonly enabled: number;
  /** The word in which the two tests are made; readable at its non-secure address in every state. */
  readonly stateAddress: number;
  /** TrustZone is on: (word & mask) is `value`. */
  readonly onTest: { readonly mask: number; readonly value: number };
  /** The debug port sees the secure world: (word & mask) is `value`, where this is in a word of its own. */
  readonly secureDebug: WordTest;
  /** Option bytes are written through the secure view while the debug port sees the secure world. */
  readonly optionsInSecureView: boolean;
  readonly flashOffset: number;
  readonly peripheralOffset: number;
  /** Fields with which the part boots from RSS and goes on in the non-secure bootloader, whatever its flash holds. */
  readonly bootsRss?: FieldValues;
  /** Field with the address of the secure boot; when it holds nothing, a part that hides the secure world is mute. */
  readonly bootField?: string;
}

export interface ProtectionFacts {
  /** Field that is 1 while security (RSS at every reset) is on. */
  readonly securityField?: string;
  /** Field that is 1 while a secure install is under way. */
  readonly sfiPendingField?: string;
  /** Start equal to end means the whole bank (STM32H7), not one unit. */
  readonly equalIsWholeBank: boolean;
  readonly areas: readonly ProtectedArea[];
}
/**
 * An area that exists while its start is not above its end, and its enable field, where it has one, is 1.
 * - pcrop, secure, hdp: hidden from the debug port or after boot
 * - write: write protected
 * - watermark: flash of the secure world
 */
export interface ProtectedArea {
  readonly kind: "pcrop" | "secure" | "hdp" | "write" | "watermark";
  readonly name: string;
  /** Missing: the area begins where `bank` does. */
  readonly start?: string;
  readonly end: string;
  readonly enable?: string;
  /** Which bank an area without a start field begins in. */
  readonly bank?: number;
  /** Field that must be 1 for the area to be erased and removed by an RDP regression. */
  readonly eraseField?: string;
}

/** 0.5 is "only the secure world is closed"; for parts with a product state these are what the states amount to. */
export type RdpLevel = 0 | 0.5 | 1 | 2;
export interface RdpFacts {
  /** What the part calls it. */
  readonly term: "RDP level" | "product state";
  readonly field: string;
  /** The values that mean each level; of several with one level the first is the one to write. */
  readonly levels: readonly {
    readonly level: RdpLevel;
    readonly value: number;
    /** What the part calls it, where that is not the level. */
    readonly name?: string;
    /** The values from which it can be entered; any when missing. */
    readonly from?: readonly number[];
    /** The debug port does not answer any more. */
    readonly closesPort?: boolean;
  }[];
  /** The level that every other value means. */
  readonly otherwise: RdpLevel;
  readonly transitions: readonly RdpTransition[];
  readonly regression: RegressionFacts;
}
/**
 * How a part is brought back to level 0.
 * - options: option writes do it, through level 1 where something stands that only the way back from there removes
 * - debug-authentication: from any other level only an authenticated request to the part does
 */
export interface RegressionFacts {
  readonly by: "options" | "debug-authentication";
  /** Also an open part without any protection goes through level 1. */
  readonly alwaysThroughLevel1: boolean;
  /** Fields that the part takes only in a write of their own, at the end. */
  readonly ownWrite: readonly string[];
  /** Status bits that say that a key is needed to come back from level 1. */
  readonly locks: readonly { readonly name: string; readonly address: number; readonly mask: number }[];
}
export interface RdpTransition {
  readonly from: RdpLevel;
  readonly to: RdpLevel;
  readonly erasesFlash: boolean;
  readonly permanent: boolean;
  readonly effect: string;
}

/** Option-byte fields and the value each is to have. */
export type FieldValues = Readonly<Record<string, number>>;

export interface SfiFacts {
  /** swd: an install over the debug port is known. bootloader: only over the bootloader's interfaces. */
  readonly interface: "swd" | "bootloader";
  readonly preconditions: SfiPreconditions;
  /** Versions below which an install cannot work. */
  readonly minimumVersions: readonly VersionRule[];
  /** What the package's option bytes must and must not say, against a part that could not be used afterwards. */
  readonly endRules: readonly EndRule[];
  /** First eight characters of the chip certificate. */
  readonly productIds: readonly string[];
  /** SFI protocol versions of packages that the device takes. */
  readonly protocolVersions: readonly number[];
  /** RAM for one part of a package when nothing else is asked for. */
  readonly ramSizeBytes: number;
  readonly token: TokenRule;
  /** Rows of the option-byte CSV, which are also the words of a C area, in order. */
  readonly csvRows: readonly CsvRow[];
  /** The binary that the part loads to RAM and runs; missing where RSS alone does the install. */
  readonly rsse?: RsseFacts;
  /** Missing where the interface is the bootloader. */
  readonly rss?: RssContract;
  readonly deadlines: SfiDeadlines;
}
export type VersionName = "bootloader" | "sfsp";
export interface VersionRule {
  readonly what: VersionName;
  /** Bootloader: one byte, major and minor in its nibbles; sfsp: the word, major from bit 31 down. */
  readonly minimum: number;
  readonly why: string;
}
export interface EndRule {
  readonly field: string;
  /** The only legal values. */
  readonly only?: readonly number[];
  /** Values that are not legal. */
  readonly never?: readonly number[];
  readonly why: string;
}
export interface RsseFacts {
  /** As in the header of a development binary, and in the folder names of ST's. */
  readonly family: string;
  /** Where it goes. */
  readonly window: RamWindow;
  /** Versions z.y.x (bytes 24 to 26 of the file) that a security advisory lists. */
  readonly affected: readonly string[];
}
export interface CsvRow {
  readonly name: string;
  /** The option-byte register whose program word the row holds; missing for a row that counts for nothing. */
  readonly register?: string;
  /** Bits that belong to no field, as ST's own files set them. */
  readonly reserved: number;
}
export interface SfiPreconditions {
  readonly rdpLevel: RdpLevel;
  readonly facets: FacetCondition;
  readonly connectMode: "hot-plug" | "normal" | "under-reset";
  readonly blankFlash: boolean;
  readonly noPcropArea: boolean;
  readonly noSecureArea: boolean;
  readonly noWriteProtection: boolean;
  /** Fields that must hold these values, and whether `--fix` may set them. */
  readonly fields: readonly FieldPrecondition[];
}
export interface FieldPrecondition {
  readonly field: string;
  readonly value: number;
  readonly why: string;
}
/** The place in flash where RSS keeps its state between two parts. */
export interface TokenRule {
  readonly sizeBytes: number;
  readonly alignBytes: number;
  /** Default place: this far below the end of the flash. */
  readonly belowEndBytes: number;
  /** RSS erases the token's sector after the last part unless firmware lies in it. */
  readonly sectorErasedAtEnd: boolean;
}
export interface SfiDeadlines {
  /** A chip that RSS has let go of answers again within this time. */
  readonly reattachMs: number;
  /** RSS has finished one part. */
  readonly rssMs: number;
  /** An RSS service called by the host has returned. */
  readonly serviceMs: number;
  /** An option write without regression. */
  readonly optionWriteMs: number;
  /** An RDP regression with its mass erase. */
  readonly regressionMs: number;
}

/** How the host talks to RSS. */
export interface RssContract {
  readonly apiTable: number;
  /** Name of the memory region in which every function of the table lies. */
  readonly codeRegion: string;
  readonly services: RssServices;
  readonly status: { readonly ok: number; readonly disabled: number; readonly error: number };
  readonly certificateBytes: number;
  /** RAM the host uses to call services. The stack is `stackBytes` below `stackTop`. */
  readonly hostScratch: {
    readonly returnStub: number;
    readonly certificate: number;
    readonly stackTop: number;
    readonly stackBytes: number;
  };
  readonly buffers: {
    readonly license: RamWindow;
    readonly header: RamWindow;
    readonly areas: RamWindow;
    readonly wrapper: RamWindow;
  };
  /** Byte offsets of the words of the areas wrapper. */
  readonly wrapper: {
    readonly areaCount: number;
    readonly firstArea: number;
    readonly sizeBytes: number;
    readonly reserved: number;
  };
  /** "Activating security". */
  readonly activation: FieldValues;
  /** "Setting write mode to SFI". Fields that the variant does not have are left out. */
  readonly writeMode: FieldValues;
  /** Both go in one option write; otherwise one after the other, each with its reload. */
  readonly oneWrite: boolean;
  readonly trigger: {
    readonly fields: FieldValues;
    /** Registers that are written right before the reset. */
    readonly registers: readonly { readonly address: number; readonly value: number }[];
    readonly reset: "system";
  };
  readonly completion: RssCompletion;
  /** Fields as they must be after a part, by the part's outcome. */
  readonly securityState: {
    readonly more: FieldValues;
    readonly installed: FieldValues;
    readonly refused: FieldValues;
  };
}
export interface RamWindow {
  readonly address: number;
  readonly sizeBytes: number;
}
/** Byte offset in the API table of each service. */
export interface RssServices {
  readonly getVersion: number;
  readonly getStatus: number;
  readonly getCertificate: number;
  readonly getCertificateSize: number;
  readonly setVectors: number;
  readonly exitSecureArea: number;
  readonly resetAndInitializeSecureAreas: number;
}
export type RssService = keyof RssServices;

export type RssOutcome = "installed" | "more" | "refused";
export interface RssCompletion {
  readonly statusAddress: number;
  readonly valueAddress: number;
  /** Both words hold this until RSS has finished; the host writes it before the trigger. */
  readonly pending: number;
  /** The new option bytes come into force only with a system reset that the host requests after the last part. */
  readonly endsWithReset: boolean;
  /** Known pairs of words. Any other pair that is not pending is a refusal. */
  readonly results: readonly {
    readonly status: number;
    readonly value: number;
    readonly outcome: RssOutcome;
    readonly meaning: string;
  }[];
}
