import { StationError } from "../../src/errors/station-error.ts";
import { ck } from "./constants.ts";
import type { Attribute, Handle } from "./native.ts";
import { findData, readAttribute, type Session } from "./objects.ts";
import type { HsmState } from "./protocol.ts";

/**
 * What a development token holds: data objects of one application. Firmware id, counter and state can be read without
 * a PIN, as on a real card; the secret cannot. `FwId` is the label that ST's cards use too.
 */
const application = "sfi-station";
const label = { firmwareId: "FwId", counter: "counter", state: "state", secret: "secret" } as const;
type Label = (typeof label)[keyof typeof label];

/** The public part. */
export interface TokenContent {
  readonly state: HsmState;
  readonly firmwareId?: string;
  readonly counter?: number;
}

/** What provisioning writes. */
export interface TokenProvision {
  readonly firmwareId: string;
  /** 32 bytes: IV, then key. */
  readonly secret: Uint8Array;
  readonly maximum: number;
  readonly lock: boolean;
}

/** Reads what needs no PIN. A token that holds nothing of ours is in ST_STATE, like a blank card. */
export function readContent(session: Session): TokenContent {
  const firmwareId = readText(session, label.firmwareId);
  const counter = readCounter(session)?.value;
  const state = readText(session, label.state);
  return {
    state: state === "OPERATIONAL_STATE" || state === "OEM_STATE" ? state : "ST_STATE",
    ...(firmwareId === undefined ? {} : { firmwareId }),
    ...(counter === undefined ? {} : { counter }),
  };
}

/** The 32 secret bytes; the user must be logged in. @throws HSM_STATE_UNFIT when they are not there */
export function readSecret(session: Session, source: string): Uint8Array {
  const [object] = findData(session, label.secret, application);
  if (object === undefined) {
    throw StationError.of("HSM_STATE_UNFIT", { source, state: "a state without a key" });
  }
  return readAttribute(session, object, ck.CKA_VALUE);
}

/**
 * Takes one from the counter. A value cannot be changed in place on every token, and where it can, a cut-off change
 * destroys it: the new counter is written first, then the old one goes. The smallest one counts, so an interruption
 * between the two leaves the right number.
 * @returns the licenses left
 * @throws HSM_EXHAUSTED
 */
export function takeFromCounter(session: Session, source: string): number {
  const counter = readCounter(session);
  if (counter === undefined || counter.value < 1) throw StationError.of("HSM_EXHAUSTED", { source });
  writeObject(session, label.counter, String(counter.value - 1), { isPrivate: false });
  destroyAll(session, counter.objects);
  return counter.value - 1;
}

/**
 * Writes a token's content; repeats are fine until it is locked. The state comes last: a token that was left half
 * written is in ST_STATE.
 * @throws HSM_ALREADY_LOCKED
 */
export function provision(session: Session, source: string, content: TokenProvision): void {
  if (readContent(session).state === "OPERATIONAL_STATE") {
    throw StationError.of("HSM_ALREADY_LOCKED", { source });
  }
  for (const name of [label.state, label.counter, label.secret, label.firmwareId]) {
    destroyAll(session, findData(session, name, application));
  }
  writeObject(session, label.secret, content.secret, { isPrivate: true });
  writeObject(session, label.firmwareId, content.firmwareId, { isPrivate: false });
  writeObject(session, label.counter, String(content.maximum), { isPrivate: false });
  writeObject(session, label.state, content.lock ? "OPERATIONAL_STATE" : "OEM_STATE", { isPrivate: false });
}

function writeObject(
  { cryptoki, handle }: Session,
  name: Label,
  value: Uint8Array | string,
  { isPrivate }: { readonly isPrivate: boolean },
): void {
  const template: Attribute[] = [
    { type: ck.CKA_CLASS, value: ck.CKO_DATA },
    { type: ck.CKA_APPLICATION, value: application },
    { type: ck.CKA_LABEL, value: name },
    { type: ck.CKA_TOKEN, value: true },
    { type: ck.CKA_PRIVATE, value: isPrivate },
    { type: ck.CKA_MODIFIABLE, value: false },
    { type: ck.CKA_VALUE, value: typeof value === "string" ? value : Buffer.from(value) },
  ];
  cryptoki.C_CreateObject(handle, template);
}

function readText(session: Session, name: Label): string | undefined {
  const [object] = findData(session, name, application);
  return object === undefined
    ? undefined
    : new TextDecoder().decode(readAttribute(session, object, ck.CKA_VALUE));
}

function readCounter(session: Session): { readonly value: number; readonly objects: Handle[] } | undefined {
  const objects = findData(session, label.counter, application);
  const values = objects
    .map((object) => new TextDecoder().decode(readAttribute(session, object, ck.CKA_VALUE)))
    // An object that was cut off while it was written holds no number.
    .filter((text) => /^\d+$/.test(text))
    .map(Number);
  return values.length === 0 ? undefined : { value: Math.min(...values), objects };
}

function destroyAll({ cryptoki, handle }: Session, objects: readonly Handle[]): void {
  for (const object of objects) cryptoki.C_DestroyObject(handle, object);
}
