import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../support/sfi.ts";
import { expectedOutcomes, type PortScenario } from "./support/expected-outcomes.ts";
import { runPortClient, runSfi, startPortClient, umockdevAvailable, usbBench } from "./support/usb-bench.ts";

const serialA = "0000000000000000000000AA";
const serialB = "0000000000000000000000BB";
const v3 = `virtual:h753,serial=${serialA}`;
const { scenarios, commands } = expectedOutcomes;

describe.skipIf(!umockdevAvailable)("the built station over libusb (needs umockdev)", () => {
  it("lists probes of every kind with their serial numbers", async () => {
    const { bus } = await usbBench(
      v3,
      `virtual:h753,probe=v3e,serial=${serialB}`,
      "virtual:h743,probe=v2-1,serial=0000000000000000000000CC",
      "virtual:h743,probe=v2,serial=0000000000000000000000DD",
      "virtual:h743,probe=v2-j17,serial=57FF72067265575742132067", // twelve raw bytes on the wire
    );
    const { stdout, exitCode } = await runSfi(bus, "list", "--json");
    expect(exitCode).toBe(0);
    const listed = (JSON.parse(stdout).probes as { selector: string; productId: string }[]).map(
      ({ selector, productId }) => `${selector} ${productId}`,
    );
    expect(listed.sort()).toEqual(
      [
        `usb:${serialA} 0x374F`,
        `usb:${serialB} 0x374E`,
        "usb:0000000000000000000000CC 0x374B",
        "usb:0000000000000000000000DD 0x3748",
        "usb:57FF72067265575742132067 0x3748",
      ].sort(),
    );
  });

  it.each([
    ["v3", "STLINK-V3", "V3J15M6B5S1"],
    ["v2-1", "ST-LINK/V2-1", "V2J45M31"],
    ["v2", "ST-LINK/V2", "V2J45S7"],
  ])("inspects a target through a %s", async (probe, product, firmware) => {
    const { bus, probes } = await usbBench(`virtual:h753,probe=${probe},serial=${serialA}`);
    const { stdout, exitCode } = await runSfi(bus, "inspect", "--json", "--probe", `usb:${serialA}`);
    expect(exitCode).toBe(0);
    const facts = JSON.parse(stdout);
    expect(facts.probe).toMatchObject({ product, firmware, serial: serialA, real: false });
    expect(facts.target).toMatchObject({ deviceId: "0x450", dpidr: "0x6BA02477", cpuid: "0x411FC271" });
    expect(probes[0]!.bench.violations()).toEqual([]);
  });

  it("tells equal serial numbers apart by their place on the bus", async () => {
    const { bus } = await usbBench(v3, `virtual:h743,serial=${serialA}`);
    const { stdout } = await runSfi(bus, "inspect", "--json", "--probe", "usb@1-2");
    expect(JSON.parse(stdout).target.variant).toContain("743");
  });

  it("works on two probes at once", async () => {
    const { bus } = await usbBench(v3, `virtual:h743,probe=v2-1,serial=${serialB}`);
    const inspect = (serial: string) => runSfi(bus, "inspect", "--json", "--probe", `usb:${serial}`);
    const results = await Promise.all([inspect(serialA), inspect(serialB)]);
    expect(results.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    const variants = results.map(({ stdout }) => JSON.parse(stdout).target.variant as string);
    expect(variants).toEqual([expect.stringContaining("753"), expect.stringContaining("743")]);
  });

  it("reports a probe that another program holds, and works once that one has ended", async () => {
    const { bus } = await usbBench(v3);
    const holder = startPortClient(bus, "hold", serialA);
    await once(holder.stdout, "data");
    const refused = await runSfi(bus, "inspect", "--json");
    expect(JSON.parse(refused.stdout)).toMatchObject(commands.heldByAnother);
    expect(refused.exitCode).toBe(commands.heldByAnother.exit);
    // Looking at the serial number of a held probe is allowed and does its holder no harm.
    expect(JSON.parse((await runSfi(bus, "list", "--json")).stdout).probes).toHaveLength(1);
    holder.kill("SIGKILL");
    await holder;
    expect((await runSfi(bus, "inspect")).exitCode).toBe(0);
  });

  it("says that the probe is gone when it is unplugged in the middle of a transfer", async () => {
    const { bus, probes } = await usbBench(v3);
    const client = startPortClient(bus, "pendingRead", serialA);
    client.stdin.end();
    await once(client.stdout, "data");
    probes[0]!.plugged.unplug();
    const { exitCode, signal, stdout } = await client;
    expect(JSON.parse(stdout.split("\n")[1] ?? "")).toEqual(scenarios.unplugged);
    expect({ exitCode, signal }).toEqual({ exitCode: 0, signal: undefined });
    expect(JSON.parse((await runSfi(bus, "list", "--json")).stdout).probes).toEqual([]);
  });

  it.each(["before", "middle", "after"])(
    "ends with PROBE_LOST when the probe leaves %s a transfer",
    async (when) => {
      const fault = join(temporaryFolder(), "fault.json");
      const faults = [{ at: { transfer: 40 }, kind: "disconnect", when }];
      writeFileSync(fault, JSON.stringify({ schema: 1, faults }));
      const { bus } = await usbBench(`${v3},fault=${fault}`);
      const { exitCode, signal, stdout } = await runSfi(bus, "inspect", "--json");
      expect(JSON.parse(stdout)).toMatchObject(commands.leavesTheBus);
      expect({ exitCode, signal }).toEqual({ exitCode: commands.leavesTheBus.exit, signal: undefined });
    },
  );

  // libusb's own time-outs, as the package has it, come after a minute: longer than a scenario may take here.
  it.each<[PortScenario, string]>([
    ["silence", "reports a silent probe by its own watchdog, and can go on with it"],
    ["stall", "clears the halt of a refused transfer"],
    ["overflow", "reports a reply that is longer than asked for"],
    ["readFirst", "gets the answer to a read that was begun before its command"],
    ["reset", "gets a probe back in step by resetting it"],
    ["exitOpen", "can end with a device open and a transfer under way"],
  ])("%s: %s, and leaves the probe free", { timeout: 30_000 }, async (scenario) => {
    const { bus } = await usbBench(v3);
    for (const name of [scenario, "version"] as const)
      expect(await runPortClient(bus, name, serialA)).toEqual({ exitCode: 0, said: scenarios[name] });
  });

  it("claims the debug interface only", async () => {
    const { bus, probes } = await usbBench(v3);
    const holder = startPortClient(bus, "hold", serialA);
    await once(holder.stdout, "data");
    expect(probes[0]!.plugged.heldInterfaces()).toEqual([0]);
    holder.stdin.end();
    await holder;
    expect(probes[0]!.plugged.heldInterfaces()).toEqual([]);
  });
});
