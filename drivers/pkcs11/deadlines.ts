import type { OperationName } from "./protocol.ts";

/**
 * How long each request may take, in milliseconds. Generous on purpose: a smart card is hundreds of times slower than
 * a token in software, and ending a module in the middle of `issue` can cost a license.
 */
export const deadlinesMs: Readonly<Record<OperationName, number>> = {
  open: 20_000,
  ping: 5_000,
  tokens: 20_000,
  state: 10_000,
  findData: 10_000,
  missingMechanisms: 10_000,
  login: 15_000,
  issue: 60_000,
  provision: 60_000,
};
