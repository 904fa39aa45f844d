import { once } from "node:events";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { usbIpClient } from "../../drivers/virtual/usb/support/usbip-client.ts";
import { sfi, sfiProgram } from "../../support/sfi.ts";

const serve = ["virtual", "serve", "--usbip", "0", "--chip", "h753,serial=0123456789abcdef01234567"];

describe("sfi virtual serve", () => {
  it("says how to attach its probes, and ends well when it is told to", async () => {
    const child = execa(process.execPath, [sfiProgram, ...serve, "--chip", "h743,probe=v2-1", "--json"], {
      stdin: "ignore",
    });
    const { port, devices } = JSON.parse(String((await once(child.stdout, "data"))[0]));
    expect(devices).toEqual([
      { busId: "1-1", selector: "usb:0123456789ABCDEF01234567", productId: "0x374F" },
      { busId: "1-2", selector: expect.stringMatching(/^usb:[0-9A-F]{24}$/), productId: "0x374B" },
    ]);
    const client = await usbIpClient(port);
    expect(await client.attach("1-1")).toBe(0);
    child.kill("SIGTERM");
    // The kernel sees its probe go.
    await client.ended;
    expect(await child).toMatchObject({ exitCode: 0, stderr: "" });
  });

  it("prints a line to type for each probe, and ends with its deadline", async () => {
    const { code, stdout, stderr } = await sfi([...serve, "--timeout", "200ms"]);
    expect(stdout).toMatch(
      /^usb:0123456789ABCDEF01234567: usbip --tcp-port \d+ attach -r 127\.0\.0\.1 -b 1-1\n$/,
    );
    expect(stderr).toContain("DEADLINE");
    expect(code).toBe(124);
  });

  it.each([
    [["--chip", "h753"], "--usbip is missing"],
    [["--usbip", "3240"], "--chip is missing"],
    [["--usbip", "65536", "--chip", "h753"], "65536"],
  ])("refuses %j", async (words, text) => {
    const { code, stderr } = await sfi(["virtual", "serve", ...words]);
    expect(stderr).toContain("USAGE_INVALID");
    expect(stderr).toContain(text);
    expect(code).toBe(2);
  });
});
