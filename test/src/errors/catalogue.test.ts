import { describe, expect, it } from "vitest";
import { catalogue, type ErrorCode } from "../../../src/errors/catalogue.ts";
import type { CatalogueEntry } from "../../../src/errors/entry.ts";
import { asStationError, StationError } from "../../../src/errors/station-error.ts";

const entries = Object.entries(catalogue) as [ErrorCode, CatalogueEntry][];

describe("error catalogue", () => {
  it.each(entries)("%s renders every parameter and says what to do", (code, entry) => {
    const names = [...`${entry.message} ${entry.remedy}`.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!);
    const parameters = Object.fromEntries(names.map((name) => [name, `<${name}>`]));
    const error = StationError.of(code, parameters as never);
    const text = `${error.message} ${error.remedy}`;
    for (const name of names) expect(text).toContain(`<${name}>`);
    expect(text).not.toMatch(/[{}]/);
    expect(entry.message.length).toBeGreaterThan(5);
    expect(entry.cause.length).toBeGreaterThan(5);
    expect(entry.remedy.length).toBeGreaterThan(5);
  });

  it("a disposition agrees with the exit code's class", () => {
    for (const [code, { exit, disposition }] of entries) {
      if (exit === 2 || exit === 3) expect([code, disposition]).toEqual([code, "untouched"]);
      if (exit === 7) expect(["resumable", "spent", "quarantine"], code).toContain(disposition);
      if (exit === 8) expect([code, disposition]).toEqual([code, "quarantine"]);
    }
  });

  it("a record carries what scripts rely on, and the causes below", () => {
    const cause = StationError.of("PROBE_LOST", {});
    const error = StationError.of(
      "BROKEN_AFTER_CHANGE",
      { state: "licensed", reason: "r", causeRemedy: "c" },
      { cause, licenseSpent: true },
    );
    expect(error.toRecord()).toEqual({
      code: "BROKEN_AFTER_CHANGE",
      exit: 7,
      message: "the run broke in state licensed after the part had been changed: r",
      remedy: expect.stringContaining("sfi resume"),
      disposition: "resumable",
      licenseSpent: true,
      retry: "resume",
      causes: ["PROBE_LOST"],
    });
  });

  it("anything else that was thrown becomes INTERNAL with its cause", () => {
    const thrown = new TypeError("boom");
    expect(asStationError(thrown)).toMatchObject({ code: "INTERNAL", cause: thrown });
    expect(asStationError("text")).toMatchObject({ code: "INTERNAL", message: "internal error: text" });
  });
});
