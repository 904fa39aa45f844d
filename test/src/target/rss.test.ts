import { describe, expect, it } from "vitest";
import { createSession, type DebugSession } from "../../../src/dap/session.ts";
import { readCertificate, readRssVersion } from "../../../src/target/rss.ts";
import { type CoreModel, coreModel } from "../dap/core-model.ts";
import { fakeClock } from "../dap/fake-clock.ts";
import { probeModel } from "../dap/probe-model.ts";
import { h7 } from "./h7.ts";

const table = 0x1ff09500;

/** A core with an RSS table whose functions answer as `services` says, by table offset. */
async function rssPart(services: Record<number, (core: CoreModel) => number>) {
  const core = coreModel();
  for (const offset of [0, 4, 8, 12]) core.words.set(table + offset, 0x1ff0a001 + 16 * offset);
  core.onRun = () => {
    const service = services[((core.registers[15] ?? 0) - 0x1ff0a000) / 16];
    if (service === undefined) return false;
    core.registers[0] = service(core);
    core.registers[15] = (core.registers[14] ?? 0) & ~1;
    return true;
  };
  const clock = fakeClock();
  const probe = probeModel(core.memory);
  const port = await probe.enterSwd();
  const session: DebugSession = createSession({ probe, clock, ap: 0, actualKilohertz: 4000, port, dpidr: 0 });
  return { core, clock, session };
}

/** Writes the certificate where R0 points. */
function giveCertificate(core: CoreModel): number {
  for (let i = 0; i < 34; i++) core.words.set((core.registers[0] ?? 0) + 4 * i, 0x01010101 * (i + 1));
  return 0xee000092;
}

describe("RSS", () => {
  it("tells its version", async () => {
    const { session, clock } = await rssPart({ 0: () => 0x00020103 });
    expect(await readRssVersion(session, clock, h7)).toEqual({ major: 2, minor: 1, patch: 3 });
  });

  it("hands out the certificate", async () => {
    const { session, clock } = await rssPart({ 12: () => 136, 8: giveCertificate });
    const certificate = await readCertificate(session, clock, h7);
    expect(certificate).toHaveLength(136);
    expect(certificate[0]).toBe(1);
    expect(certificate[135]).toBe(34);
  });

  const silences: [string, Record<number, (core: CoreModel) => number>, (core: CoreModel) => void, RegExp][] =
    [
      ["an erased table", {}, (core) => core.words.set(table, 0xffffffff), /its table holds 0xFFFFFFFF/],
      ["an even entry", {}, (core) => core.words.set(table, 0x1ff0a000), /its table holds 0x1FF0A000/],
      ["a call that does not return", {}, () => undefined, /did not return/],
      ["a version that is none", { 0: () => 0xffffffff }, () => undefined, /getVersion answers 0xFFFFFFFF/],
    ];
  for (const [name, services, prepare, message] of silences) {
    it(`is silent with ${name}`, async () => {
      const { core, session, clock } = await rssPart(services);
      prepare(core);
      await expect(readRssVersion(session, clock, h7)).rejects.toMatchObject({
        code: "RSS_SILENT",
        message: expect.stringMatching(message),
      });
    });
  }

  it("does not take old RAM, another size or a refusal for a certificate", async () => {
    const size = (): number => 136;
    const wrote = await rssPart({ 12: size, 8: () => 0xee000092 });
    wrote.core.words.set(0x24000800, 0x12345678);
    await expect(readCertificate(wrote.session, wrote.clock, h7)).rejects.toThrow(/wrote nothing/);
    const short = await rssPart({ 12: () => 100 });
    await expect(readCertificate(short.session, short.clock, h7)).rejects.toThrow(
      /getCertificateSize answers/,
    );
    const refused = await rssPart({ 12: size, 8: () => 0xee000091 });
    await expect(readCertificate(refused.session, refused.clock, h7)).rejects.toThrow(/answers 0xEE000091/);
  });
});
