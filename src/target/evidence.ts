import { invalid } from "./decode.ts";
import type { DeviceManifest, Evidence } from "./manifest-types.ts";

/** One fact of a manifest: a single value with where it comes from. */
export interface Fact {
  readonly path: string;
  readonly value: string | number | boolean;
  readonly evidence: Evidence;
}

/**
 * Every fact of a manifest in file order, with its evidence.
 * @throws RangeError for a fact without evidence, which a decoded manifest does not have
 */
export function listFacts(manifest: DeviceManifest): Fact[] {
  return [...leaves(manifest)].map(({ path, value }) => ({
    path,
    value,
    evidence: evidenceOf(manifest, path),
  }));
}

/**
 * The evidence of one fact: the entry with the longest path that contains it.
 * @param path e.g. `sfi.rss.completion.statusAddress`
 * @throws RangeError when no entry covers the path
 */
export function evidenceOf(manifest: Pick<DeviceManifest, "evidence">, path: string): Evidence {
  const evidence = longestPrefix(manifest.evidence, path);
  if (evidence === undefined) throw new RangeError(`no evidence covers ${path}`);
  return evidence;
}

/**
 * The evidence paths on which facts under `pathPrefix` (all, when left out) are assumed: what a plan that uses
 * them must name before it may touch a real part. In file order, each once.
 */
export function assumedFacts(manifest: DeviceManifest, pathPrefix = ""): string[] {
  const paths = listFacts(manifest)
    .filter(({ path, evidence }) => evidence.level === "assumed" && contains(pathPrefix, path))
    .map(({ evidence }) => evidence.path);
  return [...new Set(paths)];
}

/**
 * Checks that every fact is covered and that every evidence entry counts for at least one fact.
 * @throws MANIFEST_INVALID
 */
export function checkEvidence(manifest: DeviceManifest, file: string): void {
  const unused = new Map(manifest.evidence.map((entry, i) => [entry, i]));
  const paths = new Set<string>();
  manifest.evidence.forEach(({ path }, i) => {
    if (paths.has(path)) {
      throw invalid({ file, path: `evidence[${i}].path` }, `a second entry for ${path}`);
    }
    paths.add(path);
  });
  for (const { path } of leaves(manifest)) {
    const entry = longestPrefix(manifest.evidence, path);
    if (entry === undefined) throw invalid({ file, path }, "no evidence covers this fact");
    unused.delete(entry);
  }
  for (const [entry, i] of unused) {
    throw invalid(
      { file, path: `evidence[${i}].path` },
      `${entry.path} covers no fact that a longer path does not cover`,
    );
  }
}

function longestPrefix(evidence: readonly Evidence[], path: string): Evidence | undefined {
  let longest: Evidence | undefined;
  for (const entry of evidence) {
    if (contains(entry.path, path) && (longest === undefined || entry.path.length > longest.path.length)) {
      longest = entry;
    }
  }
  return longest;
}

function contains(prefix: string, path: string): boolean {
  if (prefix === "" || prefix === path) return true;
  return path.startsWith(prefix) && (path[prefix.length] === "." || path[prefix.length] === "[");
}

type Leaf = { readonly path: string; readonly value: string | number | boolean };

function* leaves(manifest: DeviceManifest): Generator<Leaf> {
  const { schema: _schema, evidence: _evidence, ...facts } = manifest;
  yield* leavesBelow("", facts);
}

function* leavesBelow(path: string, value: unknown): Generator<Leaf> {
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) yield* leavesBelow(`${path}[${i}]`, item);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      yield* leavesBelow(path === "" ? key : `${path}.${key}`, item);
    }
  } else if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
    yield { path, value };
  }
}
