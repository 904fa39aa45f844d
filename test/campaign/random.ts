/** Numbers from 0 to below 1, the same for the same seed everywhere (mulberry32, Tommy Ettinger 2017, public domain). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x100000000;
  };
}

/** `count` of the items, chosen by chance, in their old order. All of them when there are no more. */
export function chosen<T>(items: readonly T[], count: number, random: () => number): readonly T[] {
  const picked: T[] = [];
  items.forEach((item, i) => {
    if (random() * (items.length - i) < count - picked.length) picked.push(item);
  });
  return picked;
}
