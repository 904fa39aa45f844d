import { hex32 } from "../bytes/hex.ts";
import { checkDistinct, checkSetting, type Fail } from "./check.ts";
import type { DeviceManifest, RamWindow, RssContract } from "./manifest-types.ts";

/** Checks the relations inside the SFI section and between it and the rest. @throws MANIFEST_INVALID (through fail) */
export function checkSfi(manifest: DeviceManifest, fail: Fail): void {
  const { sfi, optionBytes, device } = manifest;
  const idDigits = device.id.toString(16).toUpperCase();
  sfi.productIds.forEach((id, i) => {
    if (!id.startsWith(idDigits)) fail(`sfi.productIds[${i}]`, `${id} does not begin with ${idDigits}`);
  });
  sfi.csvRows.forEach(({ register }, i) => {
    if (register !== undefined && optionBytes.registers[register] === undefined) {
      fail(`sfi.csvRows[${i}].register`, `there is no option-byte register ${register}`);
    }
  });
  checkDistinct(
    sfi.csvRows,
    ({ name }) => name,
    (i) => `sfi.csvRows[${i}].name`,
    fail,
  );
  checkDistinct(
    sfi.csvRows,
    ({ register }, i) => register ?? `row ${i}`,
    (i) => `sfi.csvRows[${i}].register`,
    fail,
  );
  if (sfi.token.alignBytes < 1 || sfi.token.belowEndBytes % sfi.token.alignBytes !== 0) {
    fail("sfi.token.belowEndBytes", "the default place of the token is not aligned");
  }
  checkFields(manifest, fail);
  if ((sfi.interface === "swd") !== (sfi.rss !== undefined)) {
    fail("sfi.rss", "is for installs over SWD, and needed there");
  }
  if (sfi.rss === undefined) return;
  checkFieldSets(manifest, sfi.rss, fail);
  checkRss(manifest, sfi.rss, fail);
}

/** The fields that preconditions and end rules name exist and take the values. */
function checkFields(manifest: DeviceManifest, fail: Fail): void {
  const { preconditions, endRules } = manifest.sfi;
  preconditions.fields.forEach(({ field, value }, i) => {
    checkSetting(manifest, field, value, `sfi.preconditions.fields[${i}]`, fail);
  });
  endRules.forEach(({ field, only, never }, i) => {
    const values = [...(only ?? []), ...(never ?? [])];
    if (values.length === 0) fail(`sfi.endRules[${i}]`, "says neither only nor never");
    for (const value of values) checkSetting(manifest, field, value, `sfi.endRules[${i}]`, fail);
  });
}

function checkFieldSets(manifest: DeviceManifest, rss: RssContract, fail: Fail): void {
  const { activation, writeMode, trigger, securityState } = rss;
  const sets = {
    activation,
    writeMode,
    "trigger.fields": trigger.fields,
    "securityState.more": securityState.more,
    "securityState.installed": securityState.installed,
    "securityState.refused": securityState.refused,
  };
  for (const [path, fields] of Object.entries(sets)) {
    for (const [name, value] of Object.entries(fields)) {
      checkSetting(manifest, name, value, `sfi.rss.${path}.${name}`, fail);
    }
  }
}

function checkRss({ sfi: { rsse }, memory }: DeviceManifest, rss: RssContract, fail: Fail): void {
  const code = memory[rss.codeRegion];
  if (code === undefined) fail("sfi.rss.codeRegion", `there is no memory region ${rss.codeRegion}`);
  const services = Object.entries(rss.services);
  checkDistinct(
    services,
    ([, offset]) => hex32(offset),
    (i) => `sfi.rss.services.${services[i]?.[0]}`,
    fail,
  );
  for (const [name, offset] of services) {
    if (offset % 4 !== 0) fail(`sfi.rss.services.${name}`, "a table entry is a word");
  }
  for (const [name, offset] of Object.entries(rss.wrapper)) {
    if (offset % 4 !== 0 || offset + 4 > rss.buffers.wrapper.sizeBytes) {
      fail(`sfi.rss.wrapper.${name}`, "the word does not lie in the wrapper");
    }
  }
  rss.completion.results.forEach(({ status, value }, i) => {
    if (status === rss.completion.pending && value === rss.completion.pending) {
      fail(`sfi.rss.completion.results[${i}]`, "this pair means not finished");
    }
  });
  checkDistinct(
    rss.completion.results,
    ({ status, value }) => `${hex32(status)} with ${hex32(value)}`,
    (i) => `sfi.rss.completion.results[${i}]`,
    fail,
  );
  const binary = rsse === undefined ? {} : { "../rsse.window": rsse.window };
  checkWindows({ ...rssWindows(rss), ...binary }, memory, fail);
}

/** Every piece of RAM that the host or RSS uses, by the path of its address. */
function rssWindows({
  hostScratch,
  buffers,
  completion,
  certificateBytes,
}: RssContract): Record<string, RamWindow> {
  return {
    "hostScratch.returnStub": { address: hostScratch.returnStub, sizeBytes: 4 },
    "hostScratch.certificate": { address: hostScratch.certificate, sizeBytes: certificateBytes },
    "hostScratch.stackTop": {
      address: hostScratch.stackTop - hostScratch.stackBytes,
      sizeBytes: hostScratch.stackBytes,
    },
    "buffers.license": buffers.license,
    "buffers.header": buffers.header,
    "buffers.areas": buffers.areas,
    "buffers.wrapper": buffers.wrapper,
    "completion.statusAddress": { address: completion.statusAddress, sizeBytes: 4 },
    "completion.valueAddress": { address: completion.valueAddress, sizeBytes: 4 },
  };
}

function checkWindows(
  windows: Record<string, RamWindow>,
  memory: DeviceManifest["memory"],
  fail: Fail,
): void {
  const placed = Object.entries(windows).sort(([, a], [, b]) => a.address - b.address);
  placed.forEach(([path, window], i) => {
    const end = window.address + window.sizeBytes;
    const inRam = Object.values(memory).some(
      (region) =>
        region.kind === "ram" && window.address >= region.address && end <= region.address + region.sizeBytes,
    );
    if (!inRam) fail(`sfi.rss.${path}`, `${hex32(window.address)} to ${hex32(end)} is not in RAM`);
    const next = placed[i + 1];
    if (next !== undefined && next[1].address < end) {
      fail(`sfi.rss.${path}`, `${hex32(window.address)} to ${hex32(end)} runs into ${next[0]}`);
    }
  });
}
