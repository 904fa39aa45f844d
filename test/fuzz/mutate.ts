/** Random numbers that a seed decides (xorshift, 32 bits). */
export function seededRandom(seed: number): (limit: number) => number {
  let state = seed >>> 0 || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % limit;
  };
}

/** Values that lengths and counts like to break at. */
const edges = [0, 1, 0x7f, 0x80, 0xff];

/** A broken copy of `input`: some bytes changed, cut out, put in or doubled. */
export function mutate(input: Uint8Array, random: (limit: number) => number): Uint8Array {
  let bytes = [...input];
  for (let changes = 1 + random(4); changes > 0; changes--) {
    const at = random(bytes.length + 1);
    switch (random(7)) {
      case 0:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
        break;
      case 1:
        bytes[at] = edges[random(edges.length)]!;
        break;
      case 2:
        bytes = bytes.slice(0, at);
        break;
      case 3:
        bytes.splice(at, 1 + random(8));
        break;
      case 4:
        bytes.splice(at, 0, ...Array.from({ length: 1 + random(8) }, () => random(256)));
        break;
      case 5:
        bytes.splice(at, 0, ...bytes.slice(at, at + 1 + random(32)));
        break;
      default:
        for (let i = 0; i < 4; i++) bytes[at + i] = edges[random(edges.length)]!;
    }
  }
  return Uint8Array.from(bytes, (byte) => byte ?? 0);
}
