const goodSerial = /^[0-9A-F]{24}$/i;
const rawSerialUnits = 12;

/**
 * The canonical serial number out of a raw USB string descriptor (bLength, 3, then UTF-16LE units).
 * - 24 hexadecimal digits: as they are, upper case.
 * - 12 units (bLength 26): an ST-LINK/V2 with the old loader, one raw byte in each unit; they are hex-encoded.
 * - anything else (clones): the text when it is printable ASCII, otherwise its low bytes hex-encoded.
 * @returns "" when the probe has no serial number.
 */
export function canonicalSerial(descriptor: Uint8Array): string {
  const endBytes = Math.min(descriptor[0] ?? 0, descriptor.length);
  const units: number[] = [];
  for (let at = 2; at + 1 < endBytes; at += 2) {
    units.push((descriptor[at] ?? 0) | ((descriptor[at + 1] ?? 0) << 8));
  }
  if (units.length === rawSerialUnits) return hexOf(units);
  const text = String.fromCharCode(...units);
  if (goodSerial.test(text)) return text.toUpperCase();
  return /^[\x21-\x7e]*$/.test(text) ? text : hexOf(units);
}

/**
 * True when both texts name the same probe. Takes every spelling that tools print and users copy: upper and lower
 * case, separators between the digits, a 0x in front, the twelve raw characters, and raw characters escaped
 * as `\xFF` (OpenOCD) or `%FF` (URLs, udev). An empty serial names nothing, so it equals nothing.
 */
export function sameSerial(a: string, b: string): boolean {
  const spellingsOfB = spellings(b);
  return [...spellings(a)].some((spelling) => spellingsOfB.has(spelling));
}

function spellings(text: string): Set<string> {
  const unescaped = text.replace(/(?:\\x|%)([0-9a-fA-F]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  const digits = text
    .trim()
    .replace(/^0x/i, "")
    .replace(/[\s:-]/g, "");
  const found = new Set<string>();
  if (text.trim() !== "") found.add(text.trim().toUpperCase());
  if (goodSerial.test(digits)) found.add(digits.toUpperCase());
  for (const raw of [text, unescaped]) {
    const units = Array.from(raw, (character) => character.charCodeAt(0));
    if (units.length === rawSerialUnits && units.every((unit) => unit <= 0xff)) found.add(hexOf(units));
  }
  return found;
}

function hexOf(units: readonly number[]): string {
  return units.map((unit) => (unit & 0xff).toString(16).padStart(2, "0").toUpperCase()).join("");
}
