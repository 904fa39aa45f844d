import {
  count,
  type Decoder,
  flag,
  type JsonSchema,
  list,
  milliseconds,
  object,
  oneOf,
  optional,
  pair,
  record,
  text,
  word,
} from "./decode.ts";
import { checkEvidence } from "./evidence.ts";
import { checkManifest } from "./manifest-check.ts";
import type {
  CsvRow,
  DeviceManifest,
  EndRule,
  Evidence,
  FacetCondition,
  FacetTest,
  FacetTests,
  FlashFacts,
  FlashRegisters,
  IdentityFacts,
  MemoryRegion,
  OptionByteFacts,
  OptionField,
  ProtectedArea,
  ProtectionFacts,
  RdpFacts,
  RssContract,
  RsseFacts,
  SfiFacts,
  TrustZoneFacts,
} from "./manifest-types.ts";

const ap = count(0, 8);
const bit = count(0, 31);
const rdpLevel = oneOf(0, 0.5, 1, 2);
const wordTest = object({ address: word, mask: word, value: word });
const fieldValues = record(word, 0);
const ramWindow = object({ address: word, sizeBytes: word });

const facetCondition = object<FacetCondition>({
  security: optional(flag),
  dualCore: optional(flag),
  dualBank: optional(flag),
});

const memoryRegion = object<MemoryRegion>({
  kind: oneOf("flash", "ram", "system", "peripheral"),
  address: word,
  sizeBytes: word,
});

const facetTest = object<FacetTest>({
  word: optional(wordTest),
  ap: optional(ap),
  always: optional(flag),
  not: optional(flag),
});

const flashRegisters = object<FlashRegisters>({
  key: word,
  control: word,
  status: word,
  clear: word,
  errors: optional(word),
});

const flash = object<FlashFacts>({
  controller: oneOf("stm32h7", "stm32l4", "stm32l5", "stm32u5", "stm32h5", "stm32h7rs"),
  smallerParts: oneOf("shorter-banks", "adjacent-banks"),
  sectorBytes: word,
  wordBytes: word,
  erasedByte: word,
  unlockKeys: list(word, 2, 2),
  banks: list(
    object<FlashFacts["banks"][number]>({
      address: word,
      sectors: count(1, 1024),
      sectorBytes: optional(word),
      when: optional(facetCondition),
      registers: flashRegisters,
      secureRegisters: optional(flashRegisters),
      select: optional(word),
      bankErase: optional(word),
    }),
  ),
  control: object({
    lock: word,
    program: word,
    sectorErase: word,
    bankErase: word,
    parallelism: word,
    start: word,
    sectorShift: bit,
  }),
  status: object({ busy: word, errors: record(word), clearAll: word }),
  deadlines: object({ sectorEraseMs: milliseconds, bankEraseMs: milliseconds, programMs: milliseconds }),
});

const optionField = object<OptionField>({
  bits: pair(bit),
  values: optional(list(object({ value: word, text: text() }))),
  otherwise: optional(text()),
  equation: optional(object({ multiplier: word, offset: word })),
  default: word,
  when: optional(facetCondition),
  aliases: optional(list(text())),
  hidden: optional(flag),
  secure: optional(flag),
  readOnly: optional(flag),
  writeProtects: optional(
    object({ bank: count(0, 1), sector: count(0, 1023), sectors: optional(count(1, 64)) }),
  ),
});

const optionBytes = object<OptionByteFacts>({
  keyAddress: word,
  keys: list(word, 2, 2),
  behindFlashLock: flag,
  control: object({ address: word, lock: word, start: word }),
  launch: oneOf("start", "reset", "reload", "program"),
  reload: optional(word),
  busy: object({ address: word, mask: word }),
  changeError: object({ address: word, mask: word, clearAddress: word, clearMask: word }),
  registers: record(
    object({
      current: word,
      program: word,
      translate: optional(list(object({ read: word, means: word }))),
      fields: record(optionField),
    }),
  ),
});

const trustZone = object<TrustZoneFacts>({
  field: text(),
  enabled: word,
  stateAddress: word,
  onTest: object({ mask: word, value: word }),
  secureDebug: wordTest,
  optionsInSecureView: flag,
  flashOffset: word,
  peripheralOffset: word,
  bootsRss: optional(fieldValues),
  bootField: optional(text()),
});

const protections = object<ProtectionFacts>({
  securityField: optional(text()),
  sfiPendingField: optional(text()),
  equalIsWholeBank: flag,
  areas: list(
    object<ProtectedArea>({
      kind: oneOf("pcrop", "secure", "hdp", "write", "watermark"),
      name: text(),
      start: optional(text()),
      end: text(),
      enable: optional(text()),
      bank: optional(count(0, 1)),
      eraseField: optional(text()),
    }),
    0,
  ),
});

const rdp = object<RdpFacts>({
  term: oneOf("RDP level", "product state"),
  field: text(),
  levels: list(
    object<RdpFacts["levels"][number]>({
      level: rdpLevel,
      value: word,
      name: optional(text()),
      from: optional(list(word)),
      closesPort: optional(flag),
    }),
  ),
  otherwise: rdpLevel,
  transitions: list(
    object({ from: rdpLevel, to: rdpLevel, erasesFlash: flag, permanent: flag, effect: text() }),
    0,
  ),
  regression: object({
    by: oneOf("options", "debug-authentication"),
    alwaysThroughLevel1: flag,
    ownWrite: list(text(), 0),
    locks: list(object({ name: text(), address: word, mask: word }), 0),
  }),
});

const rss = object<RssContract>({
  apiTable: word,
  codeRegion: text(),
  services: object({
    getVersion: word,
    getStatus: word,
    getCertificate: word,
    getCertificateSize: word,
    setVectors: word,
    exitSecureArea: word,
    resetAndInitializeSecureAreas: word,
  }),
  status: object({ ok: word, disabled: word, error: word }),
  certificateBytes: word,
  hostScratch: object({ returnStub: word, certificate: word, stackTop: word, stackBytes: word }),
  buffers: object({ license: ramWindow, header: ramWindow, areas: ramWindow, wrapper: ramWindow }),
  wrapper: object({ areaCount: word, firstArea: word, sizeBytes: word, reserved: word }),
  activation: fieldValues,
  writeMode: fieldValues,
  oneWrite: flag,
  trigger: object({
    fields: fieldValues,
    registers: list(object({ address: word, value: word }), 0),
    reset: oneOf("system"),
  }),
  completion: object({
    statusAddress: word,
    valueAddress: word,
    pending: word,
    endsWithReset: flag,
    results: list(
      object({
        status: word,
        value: word,
        outcome: oneOf("installed", "more", "refused"),
        meaning: text(),
      }),
    ),
  }),
  securityState: object({ more: fieldValues, installed: fieldValues, refused: fieldValues }),
});

const sfi = object<SfiFacts>({
  interface: oneOf("swd", "bootloader"),
  preconditions: object({
    rdpLevel,
    facets: facetCondition,
    connectMode: oneOf("hot-plug", "normal", "under-reset"),
    blankFlash: flag,
    noPcropArea: flag,
    noSecureArea: flag,
    noWriteProtection: flag,
    fields: list(object({ field: text(), value: word, why: text() }), 0),
  }),
  minimumVersions: list(object({ what: oneOf("bootloader", "sfsp"), minimum: word, why: text() }), 0),
  endRules: list(
    object<EndRule>({
      field: text(),
      only: optional(list(word)),
      never: optional(list(word)),
      why: text(),
    }),
    0,
  ),
  productIds: list(text("^[0-9A-F]{8}$"), 0),
  protocolVersions: list(count(1, 255)),
  ramSizeBytes: word,
  token: object({ sizeBytes: word, alignBytes: word, belowEndBytes: word, sectorErasedAtEnd: flag }),
  csvRows: list(object<CsvRow>({ name: text(), register: optional(text()), reserved: word }), 0),
  rsse: optional(object<RsseFacts>({ family: text(), window: ramWindow, affected: list(text(), 0) })),
  rss: optional(rss),
  deadlines: object({
    reattachMs: milliseconds,
    rssMs: milliseconds,
    serviceMs: milliseconds,
    optionWriteMs: milliseconds,
    regressionMs: milliseconds,
  }),
});

const evidence = object<Evidence>({
  path: text(),
  level: oneOf("specified", "observed", "assumed"),
  source: text(),
});

interface ManifestFile extends DeviceManifest {
  /** For editors only. */
  readonly $schema?: string;
}

const manifestFile: Decoder<ManifestFile> = object<ManifestFile>({
  $schema: optional(text()),
  schema: oneOf(1),
  device: object({ id: word, name: text(), series: text(), core: text() }),
  identity: object<IdentityFacts>({
    coreAp: ap,
    dpidr: list(word),
    idcode: list(object({ ap, address: word })),
    revisions: list(object({ id: word, name: text() })),
    uidAddress: word,
    flashSizeAddress: word,
    bootloaderVersionAddress: word,
    package: optional(object({ address: word, mask: word })),
    sfspVersionAddress: optional(word),
  }),
  facets: object<FacetTests>({
    clockEnable: optional(object({ address: word, bits: word })),
    security: facetTest,
    dualCore: facetTest,
    dualBank: facetTest,
  }),
  variants: list(
    object({ name: text(), facets: object({ security: flag, dualCore: flag, dualBank: flag }) }),
  ),
  memory: record(memoryRegion),
  flash,
  optionBytes,
  trustZone: optional(trustZone),
  protections,
  rdp,
  sfi,
  evidence: list(evidence),
});

/**
 * Decodes a device manifest (`rsse/<device id>.json`), strictly: unknown keys, numbers in the wrong spelling and
 * broken relations between facts are errors, and every fact must have evidence.
 * @param json the parsed file
 * @param file its name, for messages
 * @throws MANIFEST_INVALID with the path of the first mistake
 */
export function decodeManifest(json: unknown, file: string): DeviceManifest {
  const { $schema: _, ...manifest } = manifestFile.decode(json, { file, path: "" });
  checkManifest(manifest, file);
  checkEvidence(manifest, file);
  return manifest;
}

/** The JSON Schema that `rsse/schema.json` holds for editors. It covers the shape, not the relations between facts. */
export function manifestSchema(): JsonSchema & { readonly $schema: string; readonly title: string } {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Device manifest of the SFI station",
    ...manifestFile.schema,
  };
}
