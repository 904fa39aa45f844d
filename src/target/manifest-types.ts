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
  readonly package: { readonly address: number; readonly mask: number };
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
  readonly clockEnable: { readonly address: number; readonly bits: number };
  /** True when (word & mask) is `value`. */
  readonly security: WordTest;
  /** True when this access port exists. */
  readonly dualCore: { readonly ap: number };
  readonly dualBank: WordTest;
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
  readonly controller: "stm32h7";
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
export interface FlashBankFacts {
  readonly address: number;
  readonly sectors: number;
  readonly when?: FacetCondition;
  readonly registers: {
    readonly key: number;
    readonly control: number;
    readonly status: number;
    readonly clear: number;
  };
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
  readonly control: { readonly address: number; readonly lock: number; readonly start: number };
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
export interface OptionRegister {
  /** What is in force. */
  readonly current: number;
  /** What the next option write puts in force. */
  readonly program: number;
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
  /** The flash sector that is write protected while the field is 0. Banks and sectors count from 0. */
  readonly writeProtects?: { readonly bank: number; readonly sector: number };
}

export interface ProtectionFacts {
  /** Field that is 1 while security (RSS at every reset) is on. */
  readonly securityField: string;
  /** Field that is 1 while a secure install is under way. */
  readonly sfiPendingField: string;
  readonly areas: readonly ProtectedArea[];
}
/** An area that exists while its start is not above its end. */
export interface ProtectedArea {
  readonly kind: "pcrop" | "secure";
  readonly name: string;
  readonly start: string;
  readonly end: string;
  /** Field that must be 1 for the area to be erased and removed by an RDP regression. */
  readonly eraseField: string;
}

export type RdpLevel = 0 | 1 | 2;
export interface RdpFacts {
  readonly field: string;
  /** The value to write for each level. */
  readonly levels: readonly { readonly level: RdpLevel; readonly value: number }[];
  /** The level that every other value means. */
  readonly otherwise: RdpLevel;
  readonly transitions: readonly RdpTransition[];
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
  readonly preconditions: SfiPreconditions;
  /** First eight characters of the chip certificate. */
  readonly productIds: readonly string[];
  /** SFI protocol versions of packages that the device takes. */
  readonly protocolVersions: readonly number[];
  /** RAM for one part of a package when nothing else is asked for. */
  readonly ramSizeBytes: number;
  readonly token: TokenRule;
  /** Rows of the option-byte CSV, which are also the words of a C area, in order. */
  readonly csvRows: readonly CsvRow[];
  readonly rss: RssContract;
  readonly deadlines: SfiDeadlines;
}
export interface CsvRow {
  readonly name: string;
  /** The option-byte register whose program word the row holds. */
  readonly register: string;
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
  readonly trigger: { readonly fields: FieldValues; readonly reset: "system" };
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
  /** Known pairs of words. Any other pair that is not pending is a refusal. */
  readonly results: readonly {
    readonly status: number;
    readonly value: number;
    readonly outcome: RssOutcome;
    readonly meaning: string;
  }[];
}
