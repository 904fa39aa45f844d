import { hex32, hexNumber } from "../bytes/hex.ts";
import { checkDistinct, checkSetting, type Fail, findField, isLegal } from "./check.ts";
import { invalid } from "./decode.ts";
import { checkSfi } from "./manifest-check-sfi.ts";
import type { DeviceManifest, OptionField, OptionRegister } from "./manifest-types.ts";

/**
 * Checks what the shape cannot say: fields that overlap, values that do not fit, names that name nothing, windows
 * outside RAM.
 * @throws MANIFEST_INVALID
 */
export function checkManifest(manifest: DeviceManifest, file: string): void {
  const fail: Fail = (path, detail) => {
    throw invalid({ file, path }, detail);
  };
  checkVariants(manifest, fail);
  checkMemory(manifest, fail);
  checkFlash(manifest, fail);
  checkOptionBytes(manifest, fail);
  checkProtections(manifest, fail);
  checkRdp(manifest, fail);
  checkSfi(manifest, fail);
}

function checkVariants({ variants, identity, facets }: DeviceManifest, fail: Fail): void {
  for (const name of ["security", "dualCore", "dualBank"] as const) {
    const kinds = Object.keys(facets[name]).filter((key) => key !== "not");
    if (kinds.length !== 1) fail(`facets.${name}`, "needs exactly one of word, ap and always");
  }
  checkDistinct(
    variants,
    (v) => v.name,
    (i) => `variants[${i}].name`,
    fail,
  );
  checkDistinct(
    variants,
    (v) => JSON.stringify(v.facets),
    (i) => `variants[${i}].facets`,
    fail,
  );
  checkDistinct(
    identity.idcode,
    (at) => `AP${at.ap} ${hex32(at.address)}`,
    (i) => `identity.idcode[${i}]`,
    fail,
  );
  checkDistinct(
    identity.revisions,
    (r) => hexNumber(r.id),
    (i) => `identity.revisions[${i}].id`,
    fail,
  );
}

function checkMemory({ memory }: DeviceManifest, fail: Fail): void {
  const regions = Object.entries(memory).sort(([, a], [, b]) => a.address - b.address);
  regions.forEach(([name, region], i) => {
    const previous = regions[i - 1];
    if (previous !== undefined && previous[1].address + previous[1].sizeBytes > region.address) {
      fail(`memory.${name}.address`, `${hex32(region.address)} lies in region ${previous[0]}`);
    }
  });
}

function checkFlash({ flash, memory }: DeviceManifest, fail: Fail): void {
  if (flash.wordBytes < 4 || flash.sectorBytes % flash.wordBytes !== 0) {
    fail("flash.wordBytes", `${flash.wordBytes} does not divide a sector of ${flash.sectorBytes} bytes`);
  }
  flash.banks.forEach((bank, i) => {
    const end = bank.address + bank.sectors * (bank.sectorBytes ?? flash.sectorBytes);
    const inFlash = Object.values(memory).some(
      (r) => r.kind === "flash" && bank.address >= r.address && end <= r.address + r.sizeBytes,
    );
    if (!inFlash)
      fail(`flash.banks[${i}].address`, `${hex32(bank.address)} to ${hex32(end)} is not in flash`);
  });
}

function checkOptionBytes({ optionBytes, flash }: DeviceManifest, fail: Fail): void {
  if ((optionBytes.launch === "reload") !== (optionBytes.reload !== undefined)) {
    fail("optionBytes.reload", "is for launch reload, and needed there");
  }
  const names = new Set<string>();
  const addresses = new Set<number>();
  for (const [registerName, register] of Object.entries(optionBytes.registers)) {
    const registerPath = `optionBytes.registers.${registerName}`;
    for (const key of ["current", "program"] as const) {
      if (key === "program" && register.program === register.current) continue;
      if (addresses.has(register[key])) {
        fail(`${registerPath}.${key}`, `${hex32(register[key])} belongs to another register`);
      }
      addresses.add(register[key]);
    }
    checkBits(optionBytes, registerPath, register, fail);
    for (const [name, field] of Object.entries(register.fields)) {
      const path = `${registerPath}.fields.${name}`;
      for (const each of [name, ...(field.aliases ?? [])]) {
        if (names.has(each)) fail(path, `${each} names another field too`);
        names.add(each);
      }
      checkFieldValues(path, field, fail);
      const protects = field.writeProtects;
      if (protects !== undefined) {
        const bits = field.bits[0] - field.bits[1] + 1;
        const last = protects.sector + bits * (protects.sectors ?? 1) - 1;
        if (last >= (flash.banks[protects.bank]?.sectors ?? 0)) {
          fail(`${path}.writeProtects`, `there is no sector ${last} in bank ${protects.bank}`);
        }
      }
    }
  }
}

function checkBits(
  { busy, changeError }: DeviceManifest["optionBytes"],
  path: string,
  register: OptionRegister,
  fail: Fail,
): void {
  const owners = new Map<number, string>();
  for (const { address, mask } of [busy, changeError]) {
    if (address !== register.current) continue;
    for (let bit = 0; bit < 32; bit++) if (((mask >>> bit) & 1) === 1) owners.set(bit, "a status flag");
  }
  for (const [name, { bits }] of Object.entries(register.fields)) {
    const [most, least] = bits;
    if (most < least) fail(`${path}.fields.${name}.bits`, `most significant bit ${most} is below ${least}`);
    for (let bit = least; bit <= most; bit++) {
      const owner = owners.get(bit);
      if (owner !== undefined) fail(`${path}.fields.${name}.bits`, `bit ${bit} belongs to ${owner}`);
      owners.set(bit, name);
    }
  }
}

function checkFieldValues(path: string, field: OptionField, fail: Fail): void {
  const values = field.values ?? [];
  const width = field.bits[0] - field.bits[1] + 1;
  values.forEach(({ value }, i) => {
    if (value >= 2 ** width)
      fail(`${path}.values[${i}].value`, `${hexNumber(value)} does not fit ${width} bits`);
  });
  checkDistinct(
    values,
    ({ value }) => hexNumber(value),
    (i) => `${path}.values[${i}].value`,
    fail,
  );
  if (!isLegal(field, field.default)) fail(`${path}.default`, `${hexNumber(field.default)} is not legal`);
  if (values.length === 2 ** width && field.otherwise !== undefined) {
    fail(`${path}.otherwise`, "every value has its own text");
  }
}

function checkProtections(manifest: DeviceManifest, fail: Fail): void {
  const { protections } = manifest;
  for (const key of ["securityField", "sfiPendingField"] as const) {
    const name = protections[key];
    if (name !== undefined) checkSetting(manifest, name, 1, `protections.${key}`, fail);
  }
  protections.areas.forEach((area, i) => {
    const path = `protections.areas[${i}]`;
    if ((area.start === undefined) === (area.bank === undefined)) {
      fail(path, "needs either a start field or a bank");
    }
    for (const key of ["start", "end"] as const) {
      const name = area[key];
      if (name !== undefined && findField(manifest, name)?.equation === undefined) {
        fail(`${path}.${key}`, `${name} is no field with an address equation`);
      }
    }
    for (const key of ["enable", "eraseField"] as const) {
      const name = area[key];
      if (name !== undefined) checkSetting(manifest, name, 1, `${path}.${key}`, fail);
    }
  });
  const { trustZone } = manifest;
  if (trustZone !== undefined) {
    checkSetting(manifest, trustZone.field, trustZone.enabled, "trustZone.field", fail);
    for (const [name, value] of Object.entries(trustZone.bootsRss ?? {})) {
      checkSetting(manifest, name, value, `trustZone.bootsRss.${name}`, fail);
    }
    const { bootField } = trustZone;
    if (bootField !== undefined && findField(manifest, bootField)?.equation === undefined) {
      fail("trustZone.bootField", `${bootField} is no field with an address equation`);
    }
  }
}

function checkRdp(manifest: DeviceManifest, fail: Fail): void {
  const { term, field, levels, transitions, regression } = manifest.rdp;
  if (findField(manifest, field) === undefined) fail("rdp.field", `there is no option-byte field ${field}`);
  levels.forEach(({ value }, i) => {
    checkSetting(manifest, field, value, `rdp.levels[${i}].value`, fail);
  });
  checkDistinct(
    levels,
    ({ level, value }) => (term === "RDP level" ? `level ${level}` : hexNumber(value)),
    (i) => `rdp.levels[${i}].level`,
    fail,
  );
  for (const level of [0, 1, 2]) {
    if (!levels.some((each) => each.level === level)) fail("rdp.levels", `level ${level} is missing`);
  }
  regression.ownWrite.forEach((name, i) => {
    if (findField(manifest, name) === undefined) {
      fail(`rdp.regression.ownWrite[${i}]`, `there is no option-byte field ${name}`);
    }
  });
  checkDistinct(
    transitions,
    ({ from, to }) => `${from} to ${to}`,
    (i) => `rdp.transitions[${i}]`,
    fail,
  );
}
