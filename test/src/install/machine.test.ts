import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  isTerminal,
  next,
  rows,
  type State,
  stateTitles,
  toMermaid,
  transitions,
} from "../../../src/install/machine.ts";

const states = Object.keys(transitions) as State[];

/** Every state reachable from `start` without passing through `avoid`. */
function reachable(start: State, avoid?: State): Set<State> {
  const seen = new Set<State>([start]);
  const queue = [start];
  for (let state = queue.pop(); state !== undefined; state = queue.pop()) {
    for (const { from, to } of rows()) {
      if (from !== state || to === avoid || seen.has(to)) continue;
      seen.add(to);
      queue.push(to);
    }
  }
  return seen;
}

describe("install table", () => {
  it("leads only to states it has, and to each of them", () => {
    for (const { to } of rows()) expect(states).toContain(to);
    // restoring and aborting are reached by faults; everything by some event
    expect(reachable("idle")).toEqual(new Set(states));
  });

  it("has a way out of every running state for faults and for being stopped", () => {
    for (const state of states.filter((each) => !isTerminal(each))) {
      expect(Object.keys(transitions[state])).toEqual(expect.arrayContaining(["fault", "stopped"]));
    }
  });

  it("never reaches a license without readiness: no path into licensed that avoids ready, but a resumed one", () => {
    const withoutReady = reachable("idle", "ready");
    const into = rows().filter(({ to }) => to === "licensed");
    expect(into.map(({ from, event }) => `${from}+${event}`)).toEqual([
      "ready+licensed",
      "settling+moreParts",
      "settling+notStarted",
    ]);
    // The other two come from settling, which without ready is reached through `resumed` alone.
    const resumed = rows().filter(({ event }) => event === "resumed");
    expect(resumed).toEqual([{ from: "inspected", event: "resumed", to: "detached" }]);
    expect(withoutReady.has("certified")).toBe(true);
    expect(reachable("certified", "ready")).not.toContain("licensed");
  });

  it("random walks stay in the table, end, and pass through ready before the first license", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 40, maxLength: 40 }), (choices) => {
        let state: State = "idle";
        const visited: State[] = [state];
        for (const choice of choices) {
          if (isTerminal(state)) break;
          const events = Object.keys(transitions[state]).filter((event) => event !== "resumed");
          const event = events[choice % events.length]!;
          state = next(state, event);
          visited.push(state);
        }
        const license = visited.indexOf("licensed");
        return license === -1 || visited.slice(0, license).includes("ready");
      }),
    );
  });

  it("after RSS was started nothing ends as refused", () => {
    expect(reachable("detached")).not.toContain("refused");
  });

  it("refuses an event that a state does not have", () => {
    expect(() => next("idle", "triggered")).toThrow(RangeError);
  });

  it("is drawn completely but for faults and stops", () => {
    const drawing = toMermaid();
    for (const { from, event, to } of rows()) {
      if (event === "fault" || event === "stopped") continue;
      expect(drawing).toContain(`  ${from} --> ${to}: ${event}\n`);
    }
    expect(Object.keys(stateTitles).sort()).toEqual([...states].sort());
  });
});
