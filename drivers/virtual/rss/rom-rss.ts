import { bitField } from "../../../src/bytes/numbers.ts";
import type { RomRss } from "../models/rss-model.ts";
import { rssServiceEntry } from "../models/rss-table.ts";
import { romRssVersion, romWords, rssScratch } from "./contract.ts";
import type { InstallService, ServiceParts } from "./kinds.ts";
import { type ServiceResults, tableOfServices } from "./services.ts";

/** FLASH_OPTSR.SECURITY. */
const securityBit = 21;

/** RSS of the H7: in ROM, asked through its table, started by a reset with "SFI process started" set. */
export function romInstall(service: RomRss, parts: ServiceParts): InstallService {
  const { store, flash } = parts;
  const completion = () => parts.readRam(service.buffers.completion, 8);
  return {
    kind: {
      service,
      words: romWords,
      version: () => romRssVersion,
      takeRequest: () => flash.install.ready() && completion().every((byte) => byte === 0),
      begin: () => store.fill("dtcm", rssScratch.offset, rssScratch.sizeBytes, 0x5a),
      allowsOptions: () => true,
      refused: () => {
        // Clears "SFI process started" and leaves the rest.
        flash.install.setOptions({});
      },
    },
    services: tableOfServices(rssServiceEntry, resultsOf(parts), {
      argument: () => store.get("r0"),
      setResult: (value) => store.set("r0", value),
    }),
  };
}

/** Services that need secure user code to call them fail over a debugger. */
function resultsOf(parts: ServiceParts): ServiceResults {
  return {
    getVersion: () => romRssVersion,
    getStatus: () =>
      bitField(parts.flash.options()["optsr"] ?? 0, securityBit, 1) === 1 ? romWords.ok : romWords.disabled,
    getCertificate: (buffer) => (parts.writeRam(buffer, parts.certificate()) ? romWords.ok : romWords.error),
    getCertificateSize: () => parts.certificate().length,
    setVectors: () => romWords.error,
    exitSecureArea: () => romWords.error,
    resetAndInitializeSecureAreas: () => romWords.error,
  };
}
