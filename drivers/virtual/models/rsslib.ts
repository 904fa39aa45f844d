/** RSSLIB of the H7RS (CMSIS stm32h7s7xx.h): a table of function addresses in system memory. */
export const rsslibTableAddress = 0x1ff1fd4c;
/** Offsets in the table of setSecOB, getRssStatus, setProductState, dataProvisioning and getProductState. */
export const rsslibOffsets: readonly number[] = [0x00, 0x14, 0x18, 0x1c, 0x28];
const firstEntry = 0x1ff1a000;
const strideBytes = 0x40;

/** Entry of a function of the library without the Thumb bit, by its place in `rsslibOffsets`. */
export function rsslibEntry(index: number): number {
  return firstEntry + index * strideBytes;
}
