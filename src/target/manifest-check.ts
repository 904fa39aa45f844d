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

function checkVariants({ variants, identity }: DeviceManifest, fail: Fail): void {
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
    const end = bank.address + bank.sectors * flash.sectorBytes;
    const inFlash = Object.values(memory).some(
      (r) => r.kind === "flash" && bank.address >= r.address && end <= r.address + r.sizeBytes,
    );
    if (!inFlash)
      fail(`flash.banks[${i}].address`, `${hex32(bank.address)} to ${hex32(end)} is not in flash`);
  });
}

function checkOptionBytes({ optionBytes, flash }: DeviceManifest, fail: Fail): void {
  const names = new Set<string>();
  const addresses = new Set<number>();
  for (const [registerName, register] of Object.entries(optionBytes.registers)) {
    const registerPath = `optionBytes.registers.${registerName}`;
    for (const key of ["current", "program"] as const) {
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
      if (protects !== undefined && protects.sector >= (flash.banks[protects.bank]?.sectors ?? 0)) {
        fail(`${path}.writeProtects`, `there is no sector ${protects.sector} in bank ${protects.bank}`);
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
    checkSetting(manifest, protections[key], 1, `protections.${key}`, fail);
  }
  protections.areas.forEach((area, i) => {
    for (const key of ["start", "end"] as const) {
      const field = findField(manifest, area[key]);
      if (field?.equation === undefined) {
        fail(`protections.areas[${i}].${key}`, `${area[key]} is no field with an address equation`);
      }
    }
    checkSetting(manifest, area.eraseField, 1, `protections.areas[${i}].eraseField`, fail);
  });
}

function checkRdp(manifest: DeviceManifest, fail: Fail): void {
  const { field, levels, transitions } = manifest.rdp;
  if (findField(manifest, field) === undefined) fail("rdp.field", `there is no option-byte field ${field}`);
  levels.forEach(({ value }, i) => {
    checkSetting(manifest, field, value, `rdp.levels[${i}].value`, fail);
  });
  checkDistinct(
    levels,
    ({ level }) => `level ${level}`,
    (i) => `rdp.levels[${i}].level`,
    fail,
  );
  for (const level of [0, 1, 2]) {
    if (!levels.some((each) => each.level === level)) fail("rdp.levels", `level ${level} is missing`);
  }
  checkDistinct(
    transitions,
    ({ from, to }) => `${from} to ${to}`,
    (i) => `rdp.transitions[${i}]`,
    fail,
  );
}
