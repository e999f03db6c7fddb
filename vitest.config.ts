import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // Processes of two cores' tests wait for other processes, disks and clocks a good part of their time.
    pool: 'forks',
    maxWorkers: 3,
    // Tests that start processes or real networks wait on conditions, so the ceiling is generous.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default'],
    projects: [
      // Pure code shares its process: a fork for each file would take a third of the time.
      { extends: true, test: { name: 'crdt', include: ['test/crdt/**/*.test.ts'], isolate: false } },
      { extends: true, test: { name: 'all', include: ['test/**/*.test.ts'], exclude: ['test/crdt/**'] } },
    ],
  },
})
