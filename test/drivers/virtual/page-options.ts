import type { PartProbe } from "./rsse-part.ts";

/** Unlocks, writes option registers, programs and loads them (OPTSTRT, OBL_LAUNCH), and enters again. Returns SR before loading. */
export async function programPageOptions(
  probe: PartProbe,
  base: number,
  registers: Readonly<Record<number, number>>,
  places: { readonly keyr: number; readonly optkeyr: number; readonly sr: number; readonly cr: number },
): Promise<number> {
  await probe.write32(base + places.keyr, 0x45670123);
  await probe.write32(base + places.keyr, 0xcdef89ab);
  await probe.write32(base + places.optkeyr, 0x08192a3b);
  await probe.write32(base + places.optkeyr, 0x4c5d6e7f);
  for (const [offset, value] of Object.entries(registers)) await probe.write32(base + Number(offset), value);
  await probe.write32(base + places.cr, 1 << 17);
  await probe.bench.clock.sleep(1000);
  const status = await probe.read32(base + places.sr);
  await probe.write32(base + places.cr, 1 << 27);
  if (probe.bench.chip.answers()) await probe.reattach();
  return status;
}

export const trustZonePlaces = { keyr: 0x08, optkeyr: 0x10, sr: 0x20, cr: 0x28 };
export const plainPlaces = { keyr: 0x08, optkeyr: 0x0c, sr: 0x10, cr: 0x14 };
