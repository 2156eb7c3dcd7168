import { defineConfig } from "vitest/config";

/** Unit tests stand beside their source; the others drive the built CLI as real processes. */
export default defineConfig({
  test: {
    maxWorkers: "100%",
    projects: [
      {
        test: { name: "unit", include: ["src/**/*.test.ts", "test/{bench,model,rig,soak}/**/*.test.ts"], testTimeout: 30_000 },
      },
      {
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 3, // most of the time goes by in waiting for processes
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          maxWorkers: 3, // and here for pods
        },
      },
    ],
  },
});
