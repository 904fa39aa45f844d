export type { BulkOpener, BulkPort, ProbeAttachment } from "./bulk.ts";
export type { Clock } from "./clock.ts";
export type { JournalSink } from "./journal.ts";
export type {
  Appended,
  LedgerChange,
  LedgerEntry,
  LedgerRecord,
  LedgerRequest,
  LedgerSummary,
  LicenseLedger,
  SourceAccount,
} from "./ledger.ts";
export type {
  IssueOutcome,
  LicenseRequest,
  LicenseSource,
  LicenseSourceState,
  LicenseStore,
} from "./license.ts";
export type { DebugPort, Memory, MemoryOperation, NrstLevel, Probe, ProbeIdentity } from "./probe.ts";
