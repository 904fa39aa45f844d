import { describe, expect, it } from "vitest";
import { retryJudge } from "../../../drivers/stlink/retry.ts";
import { statusEntry, statusError } from "../../../drivers/stlink/status.ts";

describe("status codes", () => {
  it("are grouped by what to do", () => {
    const all = Array.from({ length: 256 }, (_, code) => statusEntry(code));
    const codes = (action: string) => all.filter((entry) => entry.action === action).map(({ code }) => code);
    expect(codes("ok")).toEqual([0x0d, 0x40, 0x80]);
    expect(codes("wait")).toEqual([0x07, 0x10, 0x14]);
    expect(codes("fault")).toEqual([0x11, 0x15, 0x18, 0x19, 0x1a, 0x81]);
    expect(codes("link-lost")).toEqual([0x05, 0x09, 0x0b, 0x12, 0x13, 0x16, 0x17]);
    expect(codes("closed-ap")).toEqual([0x1d, 0x29]);
    expect(statusEntry(0x77)).toEqual({ code: 0x77, name: "UNKNOWN_STATUS", action: "fatal" });
  });

  it("become errors that name the place", () => {
    const block = { ap: 1, address: 0x24000000, sizeBytes: 0x100 };
    expect(statusError(0x11, "READMEM_32", block, 0x24000080).parameters).toMatchObject({
      address: "0x24000080",
    });
    expect(statusError(0x11, "READMEM_32", block, 0x24000200).parameters).toMatchObject({
      address: "0x24000000",
    });
    expect(statusError(0x11, "READMEM_32", block).parameters).toMatchObject({ address: "0x24000000" });
    expect(statusError(0x15, "READ_DAP_REG", { register: 4 }).parameters).toMatchObject({
      address: "DP register 0x04",
    });
    expect(statusError(0x1d, "READMEM_32", block)).toMatchObject({
      code: "ACCESS_PORT_REFUSED",
      parameters: { ap: 1 },
    });
    expect(statusError(0x42, "INIT_AP", { ap: 0 })).toMatchObject({
      code: "PROBE_COMMAND_FAILED",
      message: "the probe answered INIT_AP with status 0x42 (UNKNOWN_CMD)",
    });
  });
});

describe("retries", () => {
  it("forgive one fault right after a wait, and only that", () => {
    const forgiving = retryJudge();
    expect([0x10, 0x11, 0x80].map((status) => forgiving(status).kind)).toEqual(["again", "again", "done"]);
    const twice = retryJudge();
    expect([0x10, 0x11, 0x11].map((status) => twice(status).kind)).toEqual(["again", "again", "failed"]);
    const repeated = retryJudge();
    expect([0x10, 0x11, 0x10, 0x11].map((status) => repeated(status).kind)).toEqual([
      "again",
      "again",
      "again",
      "failed",
    ]);
    expect(retryJudge()(0x11).kind).toBe("failed");
    const sticky = retryJudge();
    expect([0x10, 0x19].map((status) => sticky(status).kind)).toEqual(["again", "failed"]);
  });
});
