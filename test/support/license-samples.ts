import { asciiBytes, concatBytes } from "../../src/bytes/bytes.ts";
import { StationError } from "../../src/errors/station-error.ts";
import { type KeyPair, keyPairOf } from "../../src/package/p256.ts";
import type { LicenseSource, LicenseStore } from "../../src/ports/index.ts";
import { patternBytes } from "./sfi-samples.ts";

/** A key pair that is the same in every run. */
export function sampleKeyPair(seed: number): KeyPair {
  return keyPairOf(Uint8Array.of(1, ...patternBytes(31, seed)));
}

/** A certificate with the chip's public key and a signature that is none. */
export function sampleCertificate({ publicKey }: KeyPair = sampleKeyPair(1)): Uint8Array {
  return concatBytes(asciiBytes("45002001"), publicKey, new Uint8Array(64).fill(0x11));
}

/** 136 bytes that look like a license from an HSM. */
export function genuineLicense(seed: number): Uint8Array {
  return concatBytes(Uint8Array.of(1, 0, 0, 0), patternBytes(132, seed));
}

/** A license store in memory that keeps to the port's contract and records what is asked of it. */
export interface MemoryStore extends LicenseStore {
  readonly kept: Map<string, Uint8Array>;
  readonly calls: string[];
}

export function memoryStore(failing: readonly ("load" | "save" | "checkWritable")[] = []): MemoryStore {
  const kept = new Map<string, Uint8Array>();
  const calls: string[] = [];
  const call = (name: "load" | "save" | "checkWritable") => {
    calls.push(name);
    if (failing.includes(name)) {
      throw StationError.of("LICENSE_STORE_FAILED", { folder: "memory", detail: `${name} fails` });
    }
  };
  return {
    kept,
    calls,
    async load(key) {
      call("load");
      return kept.get(key);
    },
    async save(key, license) {
      call("save");
      kept.set(key, Uint8Array.from(license));
    },
    async checkWritable() {
      call("checkWritable");
    },
  };
}

/** A counted source, as an HSM is: every issue gives another license and is counted. */
export interface CountedSource extends LicenseSource {
  readonly issued: Uint8Array[];
}

export function countedSource(make: (number: number) => Uint8Array = genuineLicense): CountedSource {
  const issued: Uint8Array[] = [];
  return {
    name: "counted",
    counted: true,
    issued,
    async check() {},
    async issue() {
      const license = make(issued.length + 1);
      issued.push(license);
      return license;
    },
  };
}
