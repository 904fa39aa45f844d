import { hexNumber } from "../bytes/hex.ts";
import type { DeviceManifest, OptionField } from "./manifest-types.ts";

/** Reports the first broken relation. */
export type Fail = (path: string, detail: string) => never;

/** Fails at the second of two equal keys. */
export function checkDistinct<T>(
  items: readonly T[],
  key: (item: T, index: number) => string,
  path: (index: number) => string,
  fail: Fail,
): void {
  const seen = new Set<string>();
  items.forEach((item, i) => {
    const each = key(item, i);
    if (seen.has(each)) fail(path(i), `${each} appears twice`);
    seen.add(each);
  });
}

/** Fails when a field does not exist or cannot be set to the value. */
export function checkSetting(
  manifest: DeviceManifest,
  name: string,
  value: number,
  path: string,
  fail: Fail,
): void {
  const field = findField(manifest, name);
  if (field === undefined) fail(path, `there is no option-byte field ${name}`);
  else if (!isLegal(field, value)) fail(path, `${hexNumber(value)} is no legal value of ${name}`);
}

/** The field of that name in whichever register. */
export function findField(manifest: DeviceManifest, name: string): OptionField | undefined {
  for (const register of Object.values(manifest.optionBytes.registers)) {
    const field = register.fields[name];
    if (field !== undefined) return field;
  }
  return undefined;
}

/** True when the field can be set to the value. */
export function isLegal(field: OptionField, value: number): boolean {
  const width = field.bits[0] - field.bits[1] + 1;
  if (value >= 2 ** width) return false;
  return field.values === undefined || field.values.some((legal) => legal.value === value);
}
