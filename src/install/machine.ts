/**
 * The install as one literal table: state -> event -> next state.
 * Types, next(), the drawing in docs/states.md, the plan's step order, row coverage, crash tests and random walks
 * all derive from it.
 *
 * Two events can come from any state: `fault` (the state's own work failed) and `stopped` (Ctrl-C, deadline,
 * journal not writable: nothing more is done to the part, so that it can be resumed).
 */
export const transitions = {
  // Nothing is written to the part up to and including `inspected`.
  idle: { packageLoaded: "planned", fault: "refused", stopped: "refused" },
  planned: { connected: "inspected", fault: "refused", stopped: "refused" },
  inspected: {
    fit: "certified",
    unfit: "refused",
    resumed: "detached",
    fault: "refused",
    stopped: "refused",
  },
  // Reversible: option bytes only.
  certified: { optionBytesSet: "armed", fault: "restoring", stopped: "failed" },
  armed: { rssAnswers: "ready", rssSilent: "restoring", fault: "restoring", stopped: "failed" },
  // Leaving `ready` with `licensed` may spend a license. It is stored before anything else happens.
  ready: { licensed: "licensed", licenseRefused: "restoring", fault: "restoring", stopped: "failed" },
  licensed: { ramWritten: "staged", fault: "aborting", stopped: "failed" },
  staged: { triggered: "detached", fault: "aborting", stopped: "failed" },
  // From here RSS owns the chip.
  detached: { reattached: "settling", lost: "unknown", fault: "unknown", stopped: "unknown" },
  settling: {
    moreParts: "licensed",
    notStarted: "licensed",
    accepted: "verifying",
    rejected: "aborting",
    lost: "unknown",
    fault: "unknown",
    stopped: "unknown",
  },
  verifying: {
    matches: "installed",
    closed: "installed",
    differs: "failed",
    unproven: "unknown",
    fault: "unknown",
    stopped: "unknown",
  },
  restoring: { restored: "refused", fault: "failed", stopped: "failed" },
  aborting: { restored: "failed", fault: "failed", stopped: "failed" },
  installed: {},
  refused: {},
  failed: {},
  unknown: {},
} as const satisfies Record<string, Record<string, string>>;

export type State = keyof typeof transitions;
export type TerminalState = { [S in State]: keyof (typeof transitions)[S] extends never ? S : never }[State];
export type RunningState = Exclude<State, TerminalState>;
export type EventOf<S extends State> = keyof (typeof transitions)[S] & string;
export type InstallEvent = { [S in State]: EventOf<S> }[State];

/** How an install can end; the same words as the terminal states. */
export type Outcome = TerminalState;

/** What each state is about, for the drawing, the plan and people's progress lines. */
export const stateTitles: Readonly<Record<State, string>> = {
  idle: "read the package",
  planned: "connect and identify",
  inspected: "pre-flight checks and chip certificate",
  certified: "activate security, set write mode",
  armed: "sign of life from RSS",
  ready: "license",
  licensed: "write license, header, areas to RAM",
  staged: "start RSS",
  detached: "wait for the part to come back",
  settling: "read RSS completion and security state",
  verifying: "prove the end state",
  restoring: "put the part back as it was",
  aborting: "abort: erase and open the part",
  installed: "installed",
  refused: "refused",
  failed: "failed",
  unknown: "unknown",
};

/** True when the run ends in this state. */
export function isTerminal(state: State): state is TerminalState {
  return Object.keys(transitions[state]).length === 0;
}

/**
 * The state that follows `state` on `event`.
 * @throws RangeError when the table has no such row (a defect of the program, not of the part)
 */
export function next(state: State, event: string): State {
  const row: Readonly<Record<string, State>> = transitions[state];
  const to = row[event];
  if (to === undefined) throw new RangeError(`the install table has no row ${state} + ${event}`);
  return to;
}

/** All rows of the table in its order. */
export function rows(): { readonly from: State; readonly event: InstallEvent; readonly to: State }[] {
  return (Object.keys(transitions) as State[]).flatMap((from) =>
    Object.entries(transitions[from]).map(([event, to]) => ({
      from,
      event: event as InstallEvent,
      to: to as State,
    })),
  );
}

/** The table as a Mermaid state diagram; `fault` and `stopped` are left to the table to keep the drawing readable. */
export function toMermaid(): string {
  const drawn = rows().filter(({ event }) => event !== "fault" && event !== "stopped");
  const ends = (Object.keys(transitions) as State[]).filter(isTerminal);
  return [
    "stateDiagram-v2",
    "  [*] --> idle",
    ...drawn.map(({ from, event, to }) => `  ${from} --> ${to}: ${event}`),
    ...ends.map((state) => `  ${state} --> [*]`),
    "",
  ].join("\n");
}
