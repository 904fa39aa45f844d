import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "..");

/** Which folders each folder may import from (docs/architecture.md). Packages are listed with the folders. */
const allowed: Record<string, readonly string[]> = {
  "src/bytes": ["node:crypto"],
  "src/errors": ["src/bytes"],
  "src/ports": [],
  "src/firmware": ["src/bytes", "src/errors"],
  "src/package": ["src/bytes", "src/errors", "src/firmware", "@noble/ciphers", "node:crypto"],
  "src/dap": ["src/bytes", "src/errors", "src/ports"],
  "src/target": ["src/bytes", "src/errors", "src/ports", "src/dap"],
  "src/license": ["src/bytes", "src/errors", "src/ports", "src/package", "@noble/ciphers", "node:crypto"],
  "src/install": [
    "src/bytes",
    "src/errors",
    "src/ports",
    "src/firmware",
    "src/package",
    "src/dap",
    "src/target",
    "src/license",
  ],
  "drivers/stlink": ["src/bytes", "src/errors", "src/ports"],
  "drivers/trace": [
    "src/bytes",
    "src/errors",
    "src/ports",
    "drivers/stlink/ids.ts",
    "drivers/stlink/status.ts",
  ],
  // What a card's license looks like and how a certificate is read is the same for every way to a card.
  "drivers/hsm": ["src/bytes", "src/errors", "src/ports"],
  "drivers/pkcs11": [
    "src/bytes",
    "src/errors",
    "src/ports",
    "src/package/certificate.ts",
    "src/package/license.ts",
    "drivers/hsm",
    ...["node:fs", "node:net", "node:os", "node:path", "node:perf_hooks", "node:stream", "node:url"],
    ...["node:child_process", "node:module", "node:worker_threads"],
  ],
  "drivers/cubeprogrammer": [
    "src/bytes",
    "src/errors",
    "src/ports",
    "src/package/license.ts",
    "drivers/hsm",
    ...["execa", "node:crypto", "node:fs", "node:os", "node:path", "node:util"],
  ],
  // The ledger's rules and chain are one for every place it can be stored in.
  "drivers/licenses": [
    "src/bytes",
    "src/errors",
    "src/ports",
    "src/license",
    "pg",
    "node:crypto",
    "node:fs",
    "node:http",
    "node:https",
    "node:net",
    "node:os",
    "node:path",
    "node:readline",
    "node:timers/promises",
    "node:tls",
    "node:util",
  ],
  "drivers/virtual": ["src/bytes", "src/errors", "src/ports", "@noble/ciphers", "node:crypto", "node:fs"],
};
/** The only places within a driver that may touch more of the outside world, by path prefix. */
const exceptions: Readonly<Record<string, readonly string[]>> = {
  "drivers/stlink/libusb.ts": ["usb", "node:fs"],
  "drivers/virtual/usb/": ["node:child_process", "node:net", "node:os", "node:path", "node:util"],
};

function exceptionsFor(file: string): readonly string[] {
  return Object.entries(exceptions).flatMap(([prefix, may]) => (file.startsWith(prefix) ? may : []));
}

function sourceFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(folder, name));
}

function imports(file: string): string[] {
  const text = readFileSync(join(root, file), "utf8");
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => {
    const specifier = match[1]!;
    return specifier.startsWith(".") ? relative(root, resolve(root, dirname(file), specifier)) : specifier;
  });
}

describe("layout", () => {
  for (const [folder, may] of Object.entries(allowed)) {
    it(`${folder} imports only what it may`, () => {
      const files = sourceFiles(folder);
      const wrong = files.flatMap((file) =>
        imports(file)
          .filter(
            (target) =>
              ![folder, ...may, ...exceptionsFor(file)].some(
                (prefix) => target === prefix || target.startsWith(`${prefix}/`),
              ),
          )
          .map((target) => `${file} -> ${target}`),
      );
      expect(wrong).toEqual([]);
    });
  }

  it("src outside src/cli never touches the outside world", () => {
    const wrong = sourceFiles("src")
      .filter((file) => !file.startsWith("src/cli"))
      .filter((file) => /\b(process|Buffer|setTimeout|Date\.now|performance)\b\.?/.test(code(file)))
      .map((file) => file);
    expect(wrong).toEqual([]);
  });
});

/** The file without comments and string literals. */
function code(file: string): string {
  return readFileSync(join(root, file), "utf8")
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/\/\/.*$/gm, "")
    .replace(/"(?:[^"\\]|\\.)*"/g, '""')
    .replace(/`(?:[^`\\]|\\.)*`/g, "``");
}
