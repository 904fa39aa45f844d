import { StationError } from "../../../src/errors/station-error.ts";
import { commandNames } from "../stlink/commands.ts";
import { JsonFields } from "./json-fields.ts";
import { type Fault, type FaultEffect, type FaultTrigger, plainKinds, standingKinds } from "./script.ts";

const largest = 0xffffffff;
/** Kinds with fields of their own. */
const richKinds = [
  "status",
  "wait",
  "fault-at",
  "bit-flip",
  "disconnect",
  "nrst-stuck",
  "clock-too-fast",
  "busy",
] as const;

/**
 * Decodes a fault script: `{"schema":1,"faults":[{"at":{…},"kind":"…",…}]}`. Numbers may be JSON numbers or "0x…" texts.
 * @param file name for messages
 * @throws FAULT_SCRIPT_INVALID with the path of the first thing that is wrong
 */
export function decodeFaultScript(text: string, file: string): Fault[] {
  const script = new JsonFields(file, "$", parseJson(text, file));
  if (script.take("schema") !== 1) script.fail("schema", "must be 1");
  const faults = script.take("faults");
  if (!Array.isArray(faults)) return script.fail("faults", "must be a list");
  script.end();
  return faults.map((fault, i) => decodeFault(new JsonFields(file, `$.faults[${i}]`, fault), file));
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    const detail = thrown instanceof Error ? thrown.message : "not JSON";
    throw StationError.of("FAULT_SCRIPT_INVALID", { file, path: "$", detail }, { cause: thrown });
  }
}

function decodeFault(fields: JsonFields, file: string): Fault {
  const effect = decodeEffect(fields);
  const at = decodeTrigger(fields, effect, file);
  fields.end();
  return { at, effect };
}

function decodeTrigger(fields: JsonFields, effect: FaultEffect, file: string): FaultTrigger {
  if (!fields.has("at")) {
    if (standingKinds.includes(effect.kind)) return { kind: "start" };
    return fields.fail("at", `is missing: say when ${effect.kind} strikes`);
  }
  const at = new JsonFields(file, fields.pathOf("at"), fields.take("at"));
  const trigger = decodeMoment(at);
  at.end();
  return trigger;
}

function decodeMoment(at: JsonFields): FaultTrigger {
  if (at.has("command")) {
    const command = at.oneOf("command", commandNames);
    return { kind: "command", command, occurrence: at.integer("occurrence", 1, largest, 1) };
  }
  if (at.has("state")) {
    const state = at.text("state");
    const occurrence = at.integer("occurrence", 1, largest, 1);
    return { kind: "state", state, occurrence, transfer: at.integer("transfer", 1, largest, 1) };
  }
  if (at.has("rss")) {
    const phase = at.oneOf("rss", ["running", "finished"]);
    return { kind: "rss", phase, afterMs: phase === "running" ? at.integer("afterMs", 0, largest, 0) : 0 };
  }
  if (at.has("transfer")) return { kind: "transfer", transfer: at.integer("transfer", 1, largest) };
  return at.fail(undefined, "names none of transfer, command, state, rss");
}

function decodeEffect(fields: JsonFields): FaultEffect {
  const kind = fields.oneOf("kind", [...plainKinds, ...richKinds]);
  switch (kind) {
    case "status":
      return { kind, code: fields.integer("code", 0, 255), times: fields.integer("times", 1, largest, 1) };
    case "wait":
      return { kind, times: fields.integer("times", 1, largest, 1) };
    case "fault-at":
      return {
        kind,
        address: fields.integer("address", 0, largest),
        times: fields.integer("times", 1, largest, Number.POSITIVE_INFINITY),
      };
    case "bit-flip":
      return { kind, offset: fields.integer("offset", 0, largest), bit: fields.integer("bit", 0, 7) };
    case "disconnect":
      return {
        kind,
        when: fields.oneOf("when", ["before", "middle", "after"], "before"),
        returnsAfterMs: fields.integer("returnsAfterMs", 0, largest, Number.POSITIVE_INFINITY),
      };
    case "nrst-stuck":
      return { kind, level: fields.oneOf("level", ["low", "high"], "high") };
    case "clock-too-fast":
      return { kind, kilohertz: fields.integer("kilohertz", 1, largest) };
    case "busy":
      return { kind, times: fields.integer("times", 1, largest, Number.POSITIVE_INFINITY) };
    default:
      return { kind };
  }
}
