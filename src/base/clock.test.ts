import { expect, test } from "bun:test";
import { type Clock, patientClock } from "./clock.ts";

test("time passes for a patient clock, a step forward does not, and a step back does", () => {
  let wallMs = 1_000_000;
  let passedMs = 5;
  const clock: Clock = { nowMs: () => wallMs, monotonicMs: () => passedMs };
  const patient = patientClock(clock);
  expect(patient.nowMs()).toBe(1_000_000);
  wallMs += 300;
  passedMs += 300;
  expect(patient.nowMs()).toBe(1_000_300);
  wallMs += 10_000_000;
  expect(patient.nowMs()).toBe(1_000_300);
  wallMs -= 10_003_600;
  expect(patient.nowMs()).toBe(996_700);
  expect(patient.monotonicMs()).toBe(305);
});
