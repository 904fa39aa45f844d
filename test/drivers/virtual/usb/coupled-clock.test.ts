import { expect, it } from "vitest";
import { CoupledClock } from "../../../../drivers/virtual/usb/coupled-clock.ts";

it("moves with the machine's clock, times the speed, and by modelled costs", async () => {
  let realMs = 1000;
  const clock = new CoupledClock(10, () => realMs);
  const start = clock.now().getTime();
  expect(clock.monotonicMs()).toBe(0);
  realMs += 3;
  expect(clock.monotonicMs()).toBe(30);
  clock.advance(5);
  await clock.sleep(100);
  expect(clock.monotonicMs()).toBe(135);
  clock.advanceTo(100);
  expect(clock.monotonicMs()).toBe(135);
  clock.advanceTo(150);
  expect(clock.monotonicMs()).toBe(150);
  expect(clock.now().getTime() - start).toBe(150);
});
