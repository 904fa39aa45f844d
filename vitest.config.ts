import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 240_000,
    hookTimeout: 60_000,
    // Two cores is the smallest machine this is meant to run on.
    maxWorkers: 2,
  },
});
