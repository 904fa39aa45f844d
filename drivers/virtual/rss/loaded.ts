import { asciiText, concatBytes, equalBytes } from "../../../src/bytes/bytes.ts";
import { sha256 } from "../../../src/bytes/digest.ts";
import { ByteReader } from "../../../src/bytes/reader.ts";
import type { LoadedRss } from "../models/rss-model.ts";
import { installCommand, loadedWords } from "./contract.ts";
import type { InstallService, ServiceParts } from "./kinds.ts";
import { rsslibServices } from "./rsslib.ts";
import { type ServiceResults, tableOfServices, together } from "./services.ts";

/** First version of ST's secure firmware (SFSP) that starts an RSSe, as in its word: major in [31:24]. */
const oldestSfsp = 0x01000000;
/** Entry of the first service behind the load address, and the distance to the next. */
const entries = { first: 0x100, stride: 0x10 } as const;

/**
 * The service of the other families: a development RSSe in RAM, called by a debugger, and started by RSSCMDR and a
 * reset. Its mark, family, address, size and digest are checked whenever it is used.
 */
export function loadedInstall(service: LoadedRss, parts: ServiceParts): InstallService {
  const { store, flash } = parts;
  const version = () => acceptedVersion(service, parts) ?? 0;
  const table = tableOfServices(
    (index) => service.window.address + entries.first + entries.stride * index,
    resultsOf(service, parts),
    { argument: () => store.get("r0"), setResult: (value) => store.set("r0", value) },
  );
  return {
    kind: {
      service,
      words: loadedWords,
      version,
      takeRequest: () => {
        const asked = store.get("rssCommand") === installCommand;
        store.set("rssCommand", 0);
        return asked && flash.install.ready() && acceptedVersion(service, parts) !== undefined;
      },
      begin: () => undefined,
      allowsOptions: () => true,
      refused: () => undefined,
    },
    services: service.library ? together(table, rsslibServices(parts)) : table,
  };
}

function resultsOf(service: LoadedRss, parts: ServiceParts): ServiceResults {
  const checked = (result: (argument: number, version: number) => number) => (argument: number) => {
    const version = acceptedVersion(service, parts);
    return version === undefined ? loadedWords.error : result(argument, version);
  };
  return {
    getVersion: checked((_, version) => version),
    getStatus: checked(() => loadedWords.ok),
    getCertificate: checked((buffer) =>
      parts.writeRam(buffer, parts.certificate()) ? loadedWords.ok : loadedWords.error,
    ),
    getCertificateSize: checked(() => parts.certificate().length),
    setVectors: () => loadedWords.error,
    exitSecureArea: () => loadedWords.error,
    resetAndInitializeSecureAreas: () => loadedWords.error,
  };
}

/**
 * Version 0x00JJNNPP of the RSSe in its window; undefined when none is there that this part takes: mark @0, family @8,
 * size u32 @16, load address u32 @20, z y x @24..26, "NOTST" @27, SHA-256 of all but itself @32.
 */
function acceptedVersion(service: LoadedRss, parts: ServiceParts): number | undefined {
  if (service.sfspAddress !== undefined && sfsp(parts, service.sfspAddress) < oldestSfsp) return undefined;
  const { address, sizeBytes } = service.window;
  const window = parts.readRam(address, sizeBytes);
  if (window.length < 0x40) return undefined;
  const reader = new ByteReader(window);
  const mark = asciiText(reader.bytes(8));
  const family = asciiText(reader.bytes(8)).replace(/\0+$/, "");
  const size = reader.u32();
  const place = reader.u32();
  const [z = 0, y = 0, x = 0] = reader.bytes(3);
  const note = asciiText(reader.bytes(5));
  const digest = reader.bytes(32);
  if (mark !== "RSSEDEV1" || note !== "NOTST" || family !== service.family) return undefined;
  if (place !== address || size < 0x200 || size > sizeBytes) return undefined;
  const sound = equalBytes(digest, sha256(concatBytes(window.subarray(0, 32), window.subarray(64, size))));
  return sound ? (x << 16) | (y << 8) | z : undefined;
}

function sfsp(parts: ServiceParts, address: number): number {
  const bytes = parts.rom.peek(address, 4);
  return bytes === undefined ? 0 : new ByteReader(bytes).u32();
}
