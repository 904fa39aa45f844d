import { describe, expect, it } from "vitest";
import { translateStpc } from "../../../src/cli/stpc-words.ts";

const words = (line: string) => translateStpc(line.split(" "));

describe("stpc", () => {
  it("maps the published SFI example and the long forms", () => {
    expect(
      words(
        "-sfi -fir OEM_Dev.bin 0x08000000 -k aeskey.bin -n nonce.bin -ob ob.csv -v 0 --ramsize 0x1E000 --token 0x080FF000 -hash 0 -o outCLI.sfi",
      ).join(" "),
    ).toBe(
      "package build --firmware OEM_Dev.bin@0x08000000 --key aeskey.bin --nonce nonce.bin --options ob.csv --image-version 0 --ram-size 0x1E000 --token 0x080FF000 --out outCLI.sfi",
    );
    expect(
      words("--sfi --deviceid 0x484 --firmware a.hex --firmware b.elf --ob-keys x.obk y.obk --outfile o.sfi"),
    ).toEqual([
      ...["package", "build", "--device", "0x484", "--firmware", "a.hex", "--firmware", "b.elf"],
      ...["--ob-key", "x.obk", "--ob-key", "y.obk", "--out", "o.sfi"],
    ]);
    expect(words("-sfi -hash 1")).toEqual(["package", "build", "--hash"]);
  });

  it("maps external firmware with and without an address", () => {
    expect(words("-sfi -firx e.bin 0x90000000 0 0x2 0x0C020000")).toContain(
      "e.bin@0x90000000,0,0x2,0x0C020000",
    );
    expect(words("-sfi -firx e.hex 0 0x2 0x0C020000")).toContain("e.hex,0,0x2,0x0C020000");
  });

  it("maps the published SSP example, OBKeys and the HSM", () => {
    expect(words("-ssp -ru 0x312 -rr 0xECA -b s.bin -pk p.pem -k k.bin -n n.bin -o out.ssp").join(" ")).toBe(
      "ssp build --rma-unlock 0x312 --rma-relock 0xECA --secrets s.bin --public-key p.pem --key k.bin --nonce n.bin --out out.ssp",
    );
    expect(words("-obk DA_Config.xml")).toEqual([
      "obk",
      "create",
      "DA_Config.xml",
      "--kind",
      "xml",
      "--out",
      "DA_Config.obk",
    ]);
    expect(words("-hsm -i 1 -k k.bin -n n.bin -id OEM -mc 1000 -pd p.bin").join(" ")).toBe(
      "hsm provision --hsm slot=1 --key k.bin --nonce n.bin --firmware-id OEM --max 1000 --personalization p.bin",
    );
    expect(words("-hsm -i 1 -info")).toEqual(["hsm", "info", "--hsm", "slot=1"]);
  });

  it.each([
    ["", "is not understood"],
    ["-pb x.xml", "-pb is not understood"],
    ["-sfi -bogus 1", "-bogus is not a word of -sfi"],
    ["-sfi stray", "stray is not a word"],
    ["-sfi -k", "-k lacks a value"],
    ["-sfi -k a -key b", "-key is given twice"],
    ["-sfi -v 1 2", "2 is not a word"],
    ["-sfi -hash yes", "takes 0 or 1"],
    ["-obk", "one XML file"],
  ])("refuses %j", (line, message) => {
    expect(() => words(line)).toThrow(message);
  });
});
