import assert from "node:assert/strict";
import test from "node:test";

import { duration } from "../../../callcenter/assets/live/time.js";

test("a duration reads m:ss, with hours and days only where there are any", () => {
  const seconds = { 0: "0:00", 59: "0:59", 61: "1:01", 3599: "59:59", 3600: "1:00:00", 86_399: "23:59:59", 90_061: "1d 01:01" };
  for (const [passed, text] of Object.entries(seconds)) assert.equal(duration(passed * 1000), text);
});

test("a time in the future, seen by a clock that is behind, has not begun", () => {
  assert.equal(duration(-5000), "0:00");
});
