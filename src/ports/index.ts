export type { BulkOpener, BulkPort, ProbeAttachment } from "./bulk.ts";
export type { Clock } from "./clock.ts";
export type { JournalSink } from "./journal.ts";
export type { LicenseRequest, LicenseSource, LicenseSourceState, LicenseStore } from "./license.ts";
export type { DebugPort, Memory, MemoryOperation, NrstLevel, Probe, ProbeIdentity } from "./probe.ts";
