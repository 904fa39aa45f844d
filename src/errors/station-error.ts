import { catalogue, type ErrorCode, type ErrorParameters } from "./catalogue.ts";
import type { CatalogueEntry, Disposition, ExitCode, Retry } from "./entry.ts";

/** What an error turns into on stdout with `--json`, in the journal and in the report. */
export interface ErrorRecord {
  readonly code: ErrorCode;
  readonly exit: ExitCode;
  readonly message: string;
  readonly remedy: string;
  readonly disposition: Disposition;
  readonly licenseSpent: boolean;
  readonly retry: Retry;
  /** Codes of the errors underneath, nearest first. */
  readonly causes?: readonly string[];
}

/** Circumstances that only the run knows and that override the catalogue's default. */
export interface ErrorContext {
  readonly cause?: unknown;
  readonly disposition?: Disposition;
  readonly licenseSpent?: boolean;
  readonly retry?: Retry;
}

/** The only error class of the station: a catalogue entry with its parameters filled in. */
export class StationError extends Error {
  override readonly name = "StationError";
  readonly code: ErrorCode;
  readonly parameters: Readonly<Record<string, string | number>>;
  readonly #context: ErrorContext;

  private constructor(
    code: ErrorCode,
    parameters: Readonly<Record<string, string | number>>,
    context: ErrorContext,
  ) {
    super(
      fill(catalogue[code].message, parameters),
      context.cause === undefined ? undefined : { cause: context.cause },
    );
    this.code = code;
    this.parameters = parameters;
    this.#context = context;
  }

  /**
   * Makes the error of a catalogue entry.
   * @param code permanent name in the catalogue
   * @param parameters a value for every name in braces in the entry's texts; never key or license bytes
   */
  static of<Code extends ErrorCode>(
    code: Code,
    parameters: ErrorParameters<Code>,
    context: ErrorContext = {},
  ): StationError {
    return new StationError(code, parameters, context);
  }

  /** The same error under other circumstances (a later layer knows what state the part is in). */
  in(context: ErrorContext): StationError {
    return new StationError(this.code, this.parameters, { cause: this.cause, ...this.#context, ...context });
  }

  get entry(): CatalogueEntry {
    return catalogue[this.code];
  }

  get exit(): ExitCode {
    return this.entry.exit;
  }

  get remedy(): string {
    return fill(this.entry.remedy, this.parameters);
  }

  get disposition(): Disposition {
    return this.#context.disposition ?? this.entry.disposition;
  }

  get licenseSpent(): boolean {
    return this.#context.licenseSpent ?? false;
  }

  get retry(): Retry {
    return this.#context.retry ?? this.entry.retry;
  }

  /** The error as data, for `--json`, journal and report. */
  toRecord(): ErrorRecord {
    const causes = causeCodes(this);
    return {
      code: this.code,
      exit: this.exit,
      message: this.message,
      remedy: this.remedy,
      disposition: this.disposition,
      licenseSpent: this.licenseSpent,
      retry: this.retry,
      ...(causes.length > 0 ? { causes } : {}),
    };
  }
}

/** Any thrown value as a StationError: itself, or INTERNAL around it. */
export function asStationError(thrown: unknown): StationError {
  if (thrown instanceof StationError) return thrown;
  const detail = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return StationError.of("INTERNAL", { detail }, { cause: thrown });
}

/** True when `thrown` is the station's error with one of `codes`. */
export function isStationError(thrown: unknown, ...codes: readonly ErrorCode[]): thrown is StationError {
  return thrown instanceof StationError && (codes.length === 0 || codes.includes(thrown.code));
}

function causeCodes(error: StationError): string[] {
  const codes: string[] = [];
  for (let cause = error.cause; cause !== undefined; ) {
    codes.push(cause instanceof StationError ? cause.code : cause instanceof Error ? cause.name : "unknown");
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return codes;
}

function fill(template: string, parameters: Readonly<Record<string, string | number>>): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => String(parameters[name] ?? ""));
}
